"""The Lambda functions that are deployed: one folder of `lambda/` each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from locaria.resources import LAMBDA

RUNTIME = "python3.13"


@dataclass(frozen=True)
class Function:
    """One function.

    Attributes:
        name: as deployed, behind the name of the stack: locaria-prod-ecsRunTask.
        folder: of `lambda/`; its file bears the folder's name.
        memory: MiB; Lambda gives CPU in proportion.
        timeout: seconds.
        in_vpc: whether it talks to the database, which lives in a VPC.
    """

    name: str
    folder: str
    memory: int
    timeout: int
    in_vpc: bool

    @property
    def logical(self) -> str:
        """Its name in CloudFormation: EcsRunTask."""
        return self.name[0].upper() + self.name[1:]

    @property
    def code_parameter(self) -> str:
        """The template's parameter with the S3 key of its zip."""
        return f"Code{self.logical}"

    @property
    def handler(self) -> str:
        """What Lambda calls."""
        return f"{self.folder}.handler"


ECS_RUN_TASK = Function("ecsRunTask", "ecs_run_task", memory=256, timeout=120, in_vpc=False)
TASK_EVENTS = Function("taskEvents", "task_events", memory=256, timeout=30, in_vpc=True)
WEBSOCKET_API = Function("websocketApi", "websocket_api", memory=512, timeout=29, in_vpc=True)


def list_functions(root: Path = LAMBDA) -> list[Function]:
    """The functions whose folder exists."""
    known = (ECS_RUN_TASK, TASK_EVENTS, WEBSOCKET_API)
    return [each for each in known if (root / each.folder / f"{each.folder}.py").is_file()]
