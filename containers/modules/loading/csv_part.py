"""Text files with delimiters: their bytes go into COPY as they are."""

from __future__ import annotations

from collections.abc import Mapping

from loading.blocks import Blocks, ahead
from loading.copies import Copies, block_bytes
from loading.infer import widen
from loading.load import Load
from loading.options import Options
from loading.parts import Context, Filled, NoRows
from loading.source import Source
from loading.survey import survey
from locaria_reporter import Run, Staging


class CsvPart:
    """A CSV file, surveyed.

    Args:
        source: the file.
        options: what is asked for.
        name: of the member of an archive; '' for a file of its own.
        learned: types that an earlier attempt found to be needed, by column.
    """

    spatial = None

    def __init__(
        self, source: Source, options: Options, name: str, learned: Mapping[str, str]
    ) -> None:
        self.label, self.name = source.name, name
        self.size, self.fingerprint = source.size, source.fingerprint
        self._source, self._options = source, options
        self._survey = survey(source, options, learned)
        self._load: Load | None = None
        if self.empty and not options.allow_empty:
            raise NoRows(source.name, "has a header and no rows")

    @property
    def columns(self) -> Mapping[str, str]:
        """Name → SQL type."""
        return self._survey.columns

    @property
    def empty(self) -> bool:
        """Whether it is known to hold no row."""
        return self._survey.empty

    def fill(self, context: Context, staging: Staging) -> Filled:
        """Load all rows into the staging table."""
        run, source, found = context.run, self._source, self._survey
        run.log.info(
            "%s: %s bytes, %s columns, %r between fields",
            source.name,
            f"{source.size:,}",
            len(found.columns),
            found.dialect.delimiter,
        )
        load = self._load = Load(
            run,
            source,
            found,
            staging,
            null=self._options.null,
        )
        if load.line != found.line:
            run.log.info(
                "going on from line %s, which an earlier attempt reached", f"{load.line:,}"
            )
        self._copy(run, context, staging, load)
        return Filled(load.rejected, load.trouble.last)

    def _copy(self, run: Run, context: Context, staging: Staging, load: Load) -> None:
        stream = self._source.open(load.offset)
        copies = Copies(run, staging, load, self._source.size)
        try:
            blocks = Blocks(
                stream.read,
                stream.position,
                self._survey.dialect,
                offset=load.offset,
                line=load.line,
                size=block_bytes(),
            )
            for block in ahead(blocks):
                copies.put(block)
                context.reached(load.position)
            copies.settle()
            context.reached(load.position)
        finally:
            copies.close()
            stream.close()

    def widened(self) -> dict[str, str]:
        """Wider types for the guessed columns that most of the bad rows are due to."""
        if self._load is None:
            return {}
        trouble, columns = self._load.trouble, self._survey.columns
        return {
            name: widen(columns[name], trouble.values[name])
            for name, count in trouble.by_column.items()
            if name in self._survey.guessed and count * 10 >= trouble.rejected
        }

    @property
    def trouble(self) -> str:
        """What was wrong with the last bad row."""
        return self._load.trouble.last if self._load is not None else ""
