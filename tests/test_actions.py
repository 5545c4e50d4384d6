import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.analysis import actions
from salesforecast.errors import NoData


@pytest.fixture
def wb(make_store):
    register = pd.DataFrame(
        [
            ("A1", "action", "2026-08-01", "2026-09-30", None, "open"),
            ("A2", "action", "2026-09-05", "2026-10-20", "2026-10-18", "done"),
            ("A3", "task", "2026-10-03", "2026-10-10", "2026-11-05", "done"),
            ("A4", "action", "2026-07-01", "2026-08-01", "2026-08-02", "done"),
            ("A5", "action", "2026-11-03", "2026-11-30", None, "open"),
            ("R1", "risk", "2026-09-01", None, None, "open"),
        ],
        columns=["item_id", "kind", "opened_at", "due_at", "closed_at", "status"],
    ).astype(dict.fromkeys(("opened_at", "due_at", "closed_at"), "datetime64[us]"))
    store = make_store(
        register=register.assign(title="跟进"),
        transactions={"txn_id": ["1"], "date": ["2026-10-31"], "amount": [1.0], "txn_type": ["order"]},
    )
    with sf.open(store, as_of="2026-10-31") as opened:
        yield opened


def test_what_was_open_during_the_period_is_reviewed_overdue_first(wb):
    found = actions.review(wb, "2026-10")
    assert found["item_id"].tolist() == ["A1", "A3", "A2"]
    assert found["days_overdue"].tolist() == [31, 21, 0]


def test_an_item_closed_after_the_as_of_date_is_still_being_done(wb):
    found = actions.review(wb, "2026-10").set_index("item_id")
    assert found.loc["A3", "status"] == "doing"
    assert found.loc["A2", "status"] == "done"


def test_without_a_register_it_says_so(make_store):
    store = make_store(transactions={"txn_id": ["1"], "date": ["2026-10-31"], "amount": [1.0]})
    with sf.open(store) as wb, pytest.raises(NoData, match="register"):
        actions.review(wb, "2026-10")
