"""What an application sees when it inserts a row."""

from tests.conftest import Database


def test_an_insert_is_dispatched_once_and_says_so(db: Database) -> None:
    app = db.connect("app")
    row = app.execute(
        "insert into locaria.files (attributes) values ('{}') returning id"
    ).fetchone()
    assert row is not None
    status = app.execute(
        "select phase, why from locaria.status where file_id = %s", [row["id"]]
    ).fetchone()
    assert status is not None
    assert status["phase"] == "dispatched"
