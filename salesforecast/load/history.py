"""History out of dated exports: what changed between two exports of deals becomes events (`method` diff).

Every dated export leaves a snapshot of its deals (table `deal_snapshots`, see `snapshots.py`); the events are computed
from all snapshots of a source anew, so that an export taken twice changes nothing and an older one that comes late
falls into its place.

- An event stands at the later export (`between_exports`), or at the moment that the export itself gives for the last
  change of stage (`exact`). What a deal was when it was first seen is an `inferred` event.
- A deal that was open and is gone from the next export becomes void (deleted), unless so many are gone that the
  export must be a part, or the export holds open deals only. One that comes back is open again.
- A stage that is gone while all its deals stand in one that is new, with the same status, was renamed: no move.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.snapshots import FIELDS
from salesforecast.load.staging import SEPARATOR

if TYPE_CHECKING:
    from salesforecast.load.ledger import Keeper

FEWEST_RENAMED = 3  # deals that must have moved together before a stage counts as renamed
MOST_GONE = 0.2  # of the open deals of an export; above it the next export is a part, not a list of deletions


@dataclass(frozen=True)
class Changed:
    """What comparing the exports of a source found, for the report."""

    source: str
    events: int
    deals: int
    notes: tuple[str, ...]


def rebuild(store: Engine, keeper: Keeper, timezone: str) -> list[Changed]:
    """Compute the events between exports anew, for every source with snapshots; returns what was found.

    Events of other methods stay; where they tell the same change, nothing is added. Deals that were deleted at the
    last export become void in `deals`. A single export is no history.
    """
    store.execute("DELETE FROM store.deal_events WHERE method IN ('diff', 'inferred') AND row_key LIKE '%\x1fdiff'")
    _revive(store)
    sources = [row[0] for row in store.rows("SELECT DISTINCT source FROM store.deal_snapshots ORDER BY 1")]
    return [found for source in sources if (found := _Series(store, keeper, source, timezone).run()) is not None]


class _Series:
    """The dated exports of one source."""

    def __init__(self, store: Engine, keeper: Keeper, source: str, timezone: str) -> None:
        self.store, self.keeper, self.source, self.timezone = store, keeper, source, literal(timezone)
        self.notes: list[str] = []

    def run(self) -> Changed | None:
        """Write the events; None where there are fewer than two exports to compare."""
        self.store.execute(
            "CREATE OR REPLACE TEMP TABLE seen AS SELECT *, coalesce(record_type, 'opportunity') AS kind "
            f"FROM store.deal_snapshots WHERE source = {literal(self.source)} "
            "QUALIFY row_number() OVER (PARTITION BY deal_id, exported_on ORDER BY import_id DESC, source_row) = 1"
        )
        exports = self.store.rows("SELECT kind, exported_on, max(import_id) FROM seen GROUP BY 1, 2 ORDER BY 1, 2")
        days: dict[str, list[tuple[date, int]]] = {}
        for kind, day, import_id in exports:
            days.setdefault(kind, []).append((day, import_id))
        if all(len(each) < 2 for each in days.values()):
            return None
        self.store.execute(
            "CREATE OR REPLACE TEMP TABLE exports AS SELECT kind, exported_on, max(import_id) AS import_id, "
            "lag(exported_on) OVER (PARTITION BY kind ORDER BY exported_on) AS before, "
            "lead(exported_on) OVER (PARTITION BY kind ORDER BY exported_on) AS after FROM seen GROUP BY 1, 2"
        )
        self._rename(days)
        self._delete()
        events, deals = self._write()
        first, last = min(day for each in days.values() for day, _ in each), max(exports, key=lambda each: each[1])[1]
        count = max(len(each) for each in days.values())
        what = f"{events:,} changes of {deals:,} deals between {count} exports, {first} to {last}"
        return Changed(self.source, events, deals, (what, *self.notes))

    def _rename(self, days: dict[str, list[tuple[date, int]]]) -> None:
        """Give stages their last name wherever a stage was renamed between two exports."""
        found = self.store.rows(
            "WITH pairs AS (SELECT e.kind, e.exported_on AS day, e.before, b.stage AS old, a.stage AS new, "
            "count(*) AS deals, count(*) FILTER (a.status IS DISTINCT FROM b.status) AS other FROM exports AS e "
            "JOIN seen AS a ON a.kind = e.kind AND a.exported_on = e.exported_on "
            "JOIN seen AS b ON b.deal_id = a.deal_id AND b.kind = e.kind AND b.exported_on = e.before "
            "GROUP BY ALL), "
            "gone AS (SELECT kind, day, before, old, min(new) AS new, sum(deals) AS deals FROM pairs "
            "GROUP BY 1, 2, 3, 4 HAVING count(*) = 1 AND sum(other) = 0 AND min(new) <> old) "
            f"SELECT kind, day, old, new, deals FROM gone AS g WHERE deals >= {FEWEST_RENAMED} "
            "AND NOT EXISTS (SELECT 1 FROM seen AS s WHERE s.kind = g.kind AND s.exported_on = g.day "
            "AND s.stage = g.old) "
            "AND NOT EXISTS (SELECT 1 FROM seen AS s WHERE s.kind = g.kind AND s.exported_on = g.before "
            "AND s.stage = g.new) ORDER BY day DESC, old"
        )
        for kind, day, old, new, deals in found:
            self.store.execute(
                "UPDATE seen SET stage = $new WHERE kind = $kind AND exported_on < $day AND stage = $old",
                {"new": new, "kind": kind, "day": day, "old": old},
            )
            self.notes.append(
                f"stage {old!r} is called {new!r} since {day}: all {deals} deals of the one stand in the other, "
                "which counts as no move"
            )

    def _delete(self) -> None:
        """Add a void state for open deals that are gone from the next export, and say where nothing can be said."""
        gone = self.store.rows(
            "WITH last AS (SELECT s.*, e.after FROM seen AS s JOIN exports AS e USING (kind, exported_on) "
            "WHERE e.after IS NOT NULL AND coalesce(s.status, 'open') = 'open') "
            "SELECT l.kind, l.after, count(*), count(*) FILTER (a.deal_id IS NULL), "
            "(SELECT count(*) FROM seen AS s WHERE s.kind = l.kind AND s.exported_on = l.after AND s.status <> 'open') "
            "FROM last AS l LEFT JOIN seen AS a ON a.deal_id = l.deal_id AND a.exported_on = l.after "
            "GROUP BY 1, 2 HAVING count(*) FILTER (a.deal_id IS NULL) > 0 ORDER BY 1, 2"
        )
        for kind, day, all_open, missing, closed in gone:
            if not closed:
                self.notes.append(
                    f"{missing:,} deals are gone from the export of {day}, which has open deals only: whether they "
                    "were won, lost or deleted cannot be told. Export closed deals too"
                )
            elif missing > max(2, MOST_GONE * all_open):
                self.notes.append(
                    f"{missing:,} of {all_open:,} open deals are not in the export of {day}: it is taken for a part of "
                    "them, and none counts as deleted"
                )
            else:
                self._void(kind, day)
                self.notes.append(f"{missing:,} deals are gone from the export of {day}: deleted, so void since then")

    def _void(self, kind: str, day: date) -> None:
        self.store.execute(
            "INSERT INTO seen BY NAME SELECT e.import_id, s.source, e.exported_on, s.deal_id, s.record_type, s.kind, "
            "'void' AS status FROM seen AS s JOIN exports AS e ON e.kind = s.kind AND e.before = s.exported_on "
            "WHERE e.kind = $kind AND e.exported_on = $day AND coalesce(s.status, 'open') = 'open' "
            "AND s.deal_id NOT IN (SELECT deal_id FROM seen WHERE exported_on = $day)",
            {"kind": kind, "day": day},
        )
        self.store.execute(
            "CREATE OR REPLACE TEMP TABLE voided AS SELECT s.deal_id, s.import_id, i.file FROM seen AS s "
            "LEFT JOIN store.imports AS i USING (import_id) WHERE s.status = 'void' AND s.source_row IS NULL "
            "AND s.exported_on = $day AND NOT EXISTS (SELECT 1 FROM seen AS l WHERE l.deal_id = s.deal_id "
            "AND l.exported_on > s.exported_on) AND s.deal_id IN (SELECT deal_id FROM store.deals "
            "WHERE source = $source AND status = 'open' AND import_id <> s.import_id)",
            {"day": day, "source": self.source},
        )
        for (import_id,) in self.store.rows("SELECT DISTINCT import_id FROM voided"):
            mine = f"source = {literal(self.source)} AND deal_id IN (SELECT deal_id FROM voided)"
            void = (
                f"SELECT d.* REPLACE ('void' AS status, {import_id} AS import_id, v.file AS source_file, "
                "CAST(NULL AS BIGINT) AS source_row) FROM store.deals AS d JOIN voided AS v USING (deal_id)"
            )
            self.store.execute(f"CREATE OR REPLACE TEMP TABLE void_rows AS {void}")
            self.keeper.keep("deals", mine, import_id)
            self.store.execute("INSERT INTO store.deals BY NAME SELECT * FROM void_rows")

    def _write(self) -> tuple[int, int]:
        """Write one event per field that differs from what was last known; returns the changes and their deals."""
        values = {
            "amount": "rtrim(rtrim(CAST(amount AS VARCHAR), '0'), '.')",
            "probability": "CAST(probability AS VARCHAR)",
            "expected_close": "CAST(expected_close AS VARCHAR)",
            "owner_id": "coalesce((SELECT p.person_id FROM named AS p WHERE p.name = seen.owner_id), owner_id)",
        }
        self.store.execute(
            "CREATE OR REPLACE TEMP TABLE named AS SELECT name, min(person_id) AS person_id FROM store.people "
            "WHERE name IS NOT NULL GROUP BY 1 HAVING count(DISTINCT person_id) = 1"
        )
        long = " UNION ALL ".join(
            f"SELECT deal_id, kind, exported_on, import_id, source_row, created_at, stage_entered_at, "
            f"'{field}' AS field, {values.get(field, field)} AS value FROM seen WHERE {field} IS NOT NULL"
            for field in FIELDS
        )
        midnight = f"timezone('UTC', timezone({self.timezone}, CAST({{}} AS TIMESTAMP)))"
        start, end = midnight.format("e.before"), midnight.format("e.exported_on + 1")
        since = f"coalesce({start}, TIMESTAMP '0001-01-01')"
        self.store.execute(
            f"CREATE OR REPLACE TEMP TABLE changes AS WITH long AS ({long}), "
            "steps AS (SELECT *, lag(value) OVER w AS old FROM long "
            "WINDOW w AS (PARTITION BY deal_id, field ORDER BY exported_on)) "
            f"SELECT s.deal_id, s.field, s.old, s.value, s.import_id, s.source_row, s.exported_on, "
            f"{start} AS since, {end} AS until, "
            f"CASE WHEN s.field = 'stage' AND s.stage_entered_at >= {since} AND s.stage_entered_at < {end} "
            f"AND (s.old IS NOT NULL OR s.created_at IS NULL OR s.stage_entered_at >= s.created_at) "
            "THEN s.stage_entered_at "
            f"WHEN s.old IS NULL AND e.before IS NOT NULL AND s.created_at >= {start} AND s.created_at < {end} "
            f"THEN s.created_at ELSE {midnight.format('e.exported_on')} END AS moment, "
            f"s.field = 'stage' AND s.stage_entered_at >= {since} AND s.stage_entered_at < {end} AS exact "
            "FROM steps AS s JOIN exports AS e USING (kind, exported_on) "
            "WHERE s.old IS DISTINCT FROM s.value"
        )
        key = f"concat_ws({literal(SEPARATOR)}, c.deal_id, CAST(c.moment AS VARCHAR), c.field, 'diff')"
        told = (
            "SELECT 1 FROM store.deal_events AS n WHERE n.deal_id = c.deal_id AND n.field = c.field "
            'AND n."at" < c.until AND (c.old IS NULL OR n."at" >= c.since)'
        )
        self.store.execute(
            'INSERT INTO store.deal_events (deal_id, "at", field, old_value, new_value, method, at_precision, source, '
            "source_file, source_row, import_id, row_key) SELECT c.deal_id, c.moment, c.field, c.old, c.value, "
            "CASE WHEN c.old IS NULL THEN 'inferred' ELSE 'diff' END, "
            "CASE WHEN c.exact THEN 'exact' ELSE 'between_exports' END, "
            f"{literal(self.source)}, i.file, c.source_row, c.import_id, {key} "
            f"FROM changes AS c LEFT JOIN store.imports AS i USING (import_id) WHERE NOT EXISTS ({told}) "
            "ORDER BY c.deal_id, c.moment, c.field"
        )
        count, deals = self.store.rows(
            "SELECT count(*), count(DISTINCT deal_id) FROM store.deal_events WHERE method = 'diff' "
            f"AND source = {literal(self.source)} AND row_key LIKE '%\x1fdiff'"
        )[0]
        reopened = self.store.rows(
            "SELECT count(*) FROM changes WHERE field = 'status' AND value = 'open' AND old IN ('won', 'lost', 'void')"
        )[0][0]
        if reopened:
            self.notes.append(f"{reopened:,} deals that were closed or gone are open again")
        return int(count), int(deals)


def _revive(store: Engine) -> None:
    """Bring back the rows of deals that an earlier comparison had made void."""
    if "kept_by" not in store.columns("kept_deals"):
        return
    names = ", ".join(quote(each) for each in store.columns("deals"))
    store.execute(
        "CREATE OR REPLACE TEMP TABLE revived AS SELECT k.rowid AS kept, d.rowid AS live FROM store.deals AS d "
        "JOIN store.kept_deals AS k ON k.row_key = d.row_key AND k.kept_by = d.import_id "
        "WHERE d.source_row IS NULL AND d.status = 'void' AND d.source <> 'derived'"
    )
    store.execute("DELETE FROM store.deals WHERE rowid IN (SELECT live FROM revived)")
    store.execute(
        f"INSERT INTO store.deals ({names}) SELECT {names} FROM store.kept_deals "
        "WHERE rowid IN (SELECT kept FROM revived)"
    )
    store.execute("DELETE FROM store.kept_deals WHERE rowid IN (SELECT kept FROM revived)")
