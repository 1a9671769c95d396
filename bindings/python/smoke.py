"""One case from a phone to the office and back, from Python, against the real server: whether the face that other
languages get can be used. What core promises is tested in core; here only the border is.

Standard library only, Python 3.9 or later. One line a step; ends with 1 at the first that fails. Nothing sleeps.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
import weakref

from components import components_come_with_a_sync_and_the_nearest_are_named
from expect import Silent, host_of, quiet, raises, sync
from office import PATIENCE_S, Server

INSPECTOR = "巡查员01"
DISPATCHER = "受理派遣员01"
SPENT_CODE = "ABCDE-FGHJK"


class Smoke:
    """The steps, in order. Each leaves behind what the next needs."""

    def __init__(self, patrol, server, folder):
        self.patrol = patrol
        self.server = server
        self.folder = folder
        self.host = host_of(patrol)

    def file(self, name):
        return os.path.join(self.folder, name)

    # -- files and enrolment

    def a_damaged_file_is_moved_aside_and_kept(self):
        path = self.file("damaged.db")
        with open(path, "w") as damaged:
            damaged.write("this is no database, but somebody's work may be in it " * 100)
        phone = self.patrol.Patrol.open(path)
        aside = phone.rescued()
        with open(aside) as kept:
            assert kept.read().startswith("this is no database")
        with raises(self.patrol.PatrolError.NotEnrolled):
            phone.status()
        phone.shutdown()

    def a_newer_file_asks_for_an_update_and_a_folder_makes_room(self):
        path = self.file("newer.db")
        with contextlib.closing(sqlite3.connect(path)) as newer:
            newer.execute("PRAGMA user_version = 999")
        with raises(self.patrol.PatrolError.UpdateNeeded):
            self.patrol.Patrol.open(path)
        in_the_way = self.file("folder.db")
        os.mkdir(in_the_way)
        phone = self.patrol.Patrol.open(in_the_way)
        assert os.path.isdir(phone.rescued()) and os.path.isfile(in_the_way)
        phone.shutdown()

    def enrolling_fails_by_name_and_then_works_once(self):
        patrol = self.patrol
        self.inspector = patrol.Patrol.open(self.file("inspector.db"), self.host)
        assert self.inspector.rescued() is None
        with raises(patrol.PatrolError.NotEnrolled):
            sync(self.inspector)
        with socket.socket() as taken:
            # Bound but not listening: whoever connects is turned away.
            taken.bind(("127.0.0.1", 0))
            nowhere = "http://127.0.0.1:%d" % taken.getsockname()[1]
            with raises(patrol.PatrolError.Offline, retry_after_ms=None):
                asyncio.run(self.inspector.enrol(nowhere, SPENT_CODE))
        with raises(patrol.PatrolError.BadCode):
            asyncio.run(self.inspector.enrol(self.server.url, SPENT_CODE))
        asyncio.run(self.inspector.enrol(self.server.url, self.server.code_for(INSPECTOR)))
        status = self.inspector.status()
        assert (status.person_name, status.outbox, status.synced_at) == (INSPECTOR, 0, None), status
        with raises(patrol.PatrolError.AlreadyEnrolled):
            asyncio.run(self.inspector.enrol(self.server.url, SPENT_CODE))

    def the_directory_names_villages_and_categories(self):
        directory = self.inspector.directory()
        mine = [village for village in directory.villages if village.code in directory.my_villages]
        assert len(directory.villages) == 122 and 1 <= len(mine) <= 6, (len(directory.villages), len(mine))
        self.village = mine[0]
        assert self.village.name and self.village.code // 1000 in {town.code for town in directory.towns}
        matters = [row for row in directory.categories if row.category.kind == self.patrol.CategoryKind.MATTER]
        self.category = matters[0]
        assert any(unit.id == self.village.code for unit in directory.units)

    # -- one case

    def report(self, phone, words):
        point = self.patrol.Point(lon_e7=1135760000, lat_e7=222710000, datum=self.patrol.Datum.WGS84, accuracy_m=8)
        place = self.patrol.Place(village=self.village.code, point=point)
        return phone.report(place, self.category.category, words)

    def a_report_without_a_line_is_saved_here(self):
        self.server.stop()
        recorded = self.report(self.inspector, "桥头东侧路边堆放垃圾，影响通行")
        self.case = recorded.id
        row = self.inspector.cases(0, 10)[0]
        assert (row.id, row.stage, row.number) == (self.case, "reported", None), row
        assert (row.sync, row.category) == (self.patrol.SyncState.SAVED_HERE, self.category.id), row
        with raises(self.patrol.PatrolError.Offline):
            sync(self.inspector)
        status = self.inspector.status()
        assert (status.outbox, status.failures, status.entries_made) == (1, 1, 1), status
        assert self.inspector.next_round_in_ms() > 0

    def with_a_line_the_server_takes_it_and_gives_a_number(self):
        self.server.start()
        told = []

        class Told(self.patrol.Progress):
            def progressed(self, so_far):
                told.append(so_far)

        summary = sync(self.inspector, Told())
        assert (summary.rounds, summary.pushed) == (1, 1) and told, (summary, told)
        assert told[-1].bytes_down == summary.bytes_down > 0
        row = self.inspector.cases(0, 10)[0]
        assert row.sync == self.patrol.SyncState.APPLIED and row.number, row
        status = self.inspector.status()
        assert status.outbox == 0 and status.failures == 0 and status.synced_at > 0, status

    def the_office_dispatches_it_to_the_village(self):
        self.desk = self.server.desk_of(DISPATCHER)
        for action in ("accept", "register"):
            self.desk.act(self.case, action)
        self.desk.act(self.case, "dispatch", {"assign": [{"unit": self.village.code, "part": "main"}]})
        assert self.desk.case(self.case)["stage"] == "dispatched"

    def cadre_of_the_village(self):
        post = "unit:%d" % self.village.code
        people = self.server.errand("person", "list")
        return next(one["name"] for one in people
                    if any(held["role"] == "cadre" and held["at"] == post for held in one["posts"]))

    def the_cadre_gets_it_and_resolves_it(self):
        self.cadre = self.patrol.Patrol.open(self.file("cadre.db"))
        asyncio.run(self.cadre.enrol(self.server.url, self.server.code_for(self.cadre_of_the_village())))
        sync(self.cadre)
        offers = {offer.action: offer for offer in self.cadre.offers(self.case)}
        assert {"resolve", "send_back", "note"} <= set(offers) and "close" not in offers, offers
        body = self.patrol.Body(words="已清理", assignment=offers["resolve"].assignment, mode=1)
        self.resolve = self.cadre.act(self.case, "resolve", body)
        sync(self.cadre)
        assert self.desk.case(self.case)["stage"] == "resolved"

    def what_the_rules_refuse_is_an_error_with_its_code(self):
        patrol = self.patrol
        sync(self.inspector)
        made = self.inspector.status().entries_made
        assignment = self.inspector.case_view(self.case).assignments[0]
        with raises(patrol.PatrolError.Refused, code="not_permitted"):
            self.inspector.act(self.case, "close")
        with raises(patrol.PatrolError.Refused, code="wrong_stage"):
            self.inspector.act(self.case, "withdraw")
        check = patrol.Body(assignment=assignment.id, judged="00" * 16, verdict=patrol.Verdict.PASSED)
        with raises(patrol.PatrolError.Refused):
            self.inspector.act(self.case, "post_check", check)
        with raises(patrol.PatrolError.Invalid, what="action"):
            self.inspector.act(self.case, "explode")
        with raises(patrol.PatrolError.Invalid, what="document_id"):
            self.inspector.case_view("not an id")
        with raises(patrol.PatrolError.Invalid, what="village"):
            self.inspector.begin_tally(7, patrol.Count(what=1, how_many=1))
        with raises(patrol.PatrolError.NotFound):
            self.inspector.act("00" * 16, "note", patrol.Body(words="?"))
        assert self.inspector.status().entries_made == made

    def the_check_passes_and_the_office_closes(self):
        patrol = self.patrol
        assignment = self.inspector.case_view(self.case).assignments[0]
        assert (assignment.standing.stage, assignment.results) == ("resolved", [self.resolve]), assignment
        check = patrol.Body(
            assignment=assignment.id, judged=assignment.results[0], verdict=patrol.Verdict.PASSED, words="现场已恢复")
        self.inspector.act(self.case, "post_check", check)
        sync(self.inspector)
        assert self.desk.case(self.case)["stage"] == "awaiting_close"
        self.desk.act(self.case, "close")

    def the_phone_reads_back_the_whole_story(self):
        sync(self.inspector)
        view = self.inspector.case_view(self.case)
        actions = [entry.action for entry in view.timeline]
        assert actions == ["report", "accept", "register", "dispatch", "resolve", "post_check", "close"], actions
        assert (view.row.stage, view.conflicts, view.anomalies, view.boxed) == ("closed", [], [], []), view.row
        for entry in view.timeline:
            assert entry.sync == self.patrol.SyncState.APPLIED and entry.received_at, entry
            assert entry.person in view.names, entry
        dispatch, resolve = view.timeline[3], view.timeline[4]
        assert dispatch.body.assign == [self.patrol.Assignee(unit=self.village.code, part=self.patrol.Part.MAIN)]
        assert (resolve.id, resolve.body.words) == (self.resolve, "已清理")
        place, category, words = view.registers
        assert place.value.is_place() and place.value[0].point.lon_e7 == 1135760000, place
        assert view.names[place.person] == INSPECTOR and place.entry == view.timeline[0].id
        assert category.value[0] == self.category.category and words.value[0].startswith("桥头东侧")

    def a_tally_counts_what_needs_no_case(self):
        patrol = self.patrol
        tally = self.inspector.begin_tally(self.village.code, patrol.Count(what=1, how_many=3)).id
        self.inspector.count(tally, patrol.Count(what=1, how_many=2))
        wrong = self.inspector.count(tally, patrol.Count(what=2, how_many=40))
        self.inspector.act(tally, "withdraw", patrol.Body(withdraws=wrong))
        sync(self.inspector)
        sync(self.cadre)
        for phone in (self.inspector, self.cadre):
            assert phone.tally(tally) == [patrol.Count(what=1, how_many=5)], phone.tally(tally)
            assert [row.id for row in phone.tallies(0, 10)] == [tally]

    # -- callbacks

    def the_host_is_asked_for_the_time(self):
        before = self.host.asked
        self.report(self.inspector, "路灯不亮")
        assert self.host.asked > before
        sync(self.inspector)
        self.note_at = self.inspector.cases(0, 1)[0].id

    def an_observer_hears_until_its_handle_is_gone(self):
        heard = []

        class Ear(self.patrol.Observer):
            def changed(self, ids):
                heard.append(ids)

        def note():
            self.inspector.act(self.note_at, "note", self.patrol.Body(words="已告知"))

        watch = self.inspector.watch(Ear())
        note()
        assert heard == [[self.note_at]], heard
        sync(self.inspector)
        assert len(heard) > 1
        told = len(heard)
        watch.stop()
        note()
        assert len(heard) == told
        dropped = self.inspector.watch(Ear())
        note()
        assert len(heard) == told + 1
        del dropped
        gc.collect()
        note()
        assert len(heard) == told + 1

    def what_callbacks_throw_harms_nothing(self):
        patrol = self.patrol

        def throw(*_):
            raise ZeroDivisionError("the app has a fault")

        names = ("now_ms", "monotonic_ms", "boot", "random", "free_bytes", "app_version")
        Broken = type("Broken", (patrol.Host,), {name: throw for name in names})
        Deaf = type("Deaf", (patrol.Observer,), {"changed": throw})
        Mute = type("Mute", (patrol.Progress,), {"progressed": throw})
        with quiet():
            phone = patrol.Patrol.open(self.file("broken.db"), Broken())
            asyncio.run(phone.enrol(self.server.url, self.server.code_for(INSPECTOR)))
            watch = phone.watch(Deaf())
            case = self.report(phone, "窨井盖松动").id
            sync(phone, Mute())
        view = phone.case_view(case)
        assert view.row.sync == patrol.SyncState.APPLIED
        assert abs(view.timeline[0].made_at - time.time() * 1000) < 60_000
        watch.stop()
        phone.shutdown()

    def what_the_border_cannot_read_is_an_exception(self):
        # A value that no face of ours writes.
        body = self.patrol.Body(verdict=self.patrol.Verdict.PASSED)
        border = self.patrol._UniffiFfiConverterTypeVerdict
        write = border.write
        border.write = staticmethod(lambda _, buffer: buffer.write_i32(99))
        try:
            with raises(self.patrol.InternalError):
                self.inspector.act(self.note_at, "note", body)
        finally:
            border.write = write
        assert self.inspector.status().person_name == INSPECTOR

    # -- bad moments

    def a_sync_is_cancelled_while_the_server_is_silent(self):
        cancel = self.patrol.SyncCancel()
        self.server.stop()
        failures = self.inspector.status().failures
        with Silent(self.server.port) as silent:
            cancelled_at = []

            def stop_when_asked():
                self.kept = silent.wait_for_request()
                cancelled_at.append(time.monotonic())
                cancel.cancel()

            other = threading.Thread(target=stop_when_asked)
            other.start()
            with raises(self.patrol.PatrolError.Cancelled):
                sync(self.inspector, None, cancel)
            took_ms = (time.monotonic() - cancelled_at[0]) * 1000
            other.join(PATIENCE_S)
        assert took_ms < 1000, took_ms
        assert self.inspector.status().failures == failures
        return "%.1f ms" % took_ms

    def a_cancelled_task_takes_its_sync_with_it(self):
        with Silent(self.server.port) as silent:
            async def cancelled():
                task = asyncio.ensure_future(self.inspector.sync())
                loop = asyncio.get_running_loop()
                connection = await loop.run_in_executor(None, silent.wait_for_request)
                task.cancel()
                with raises(asyncio.CancelledError):
                    await task
                # Nothing of it goes on: the connection is closed, not forgotten until it times out.
                began = time.monotonic()
                assert await loop.run_in_executor(None, connection.recv, 1) == b""
                return (time.monotonic() - began) * 1000

            took_ms = asyncio.run(cancelled())
        assert took_ms < 1000, took_ms
        return "%.1f ms" % took_ms

    def two_threads_work_while_syncs_run(self):
        self.server.start()
        before = self.inspector.status()
        made, faults = [], []

        def work(name):
            try:
                for number in range(20):
                    case = self.report(self.inspector, "%s %d" % (name, number))
                    self.inspector.act(case.id, "note", self.patrol.Body(words="补充"))
                    made.append(case.id)
            except BaseException as fault:
                faults.append(fault)

        async def twice_at_once():
            return await asyncio.gather(self.inspector.sync(), self.inspector.sync())

        threads = [threading.Thread(target=work, args=(name,)) for name in ("甲", "乙")]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            asyncio.run(twice_at_once())
        for thread in threads:
            thread.join(PATIENCE_S)
        sync(self.inspector)
        assert not faults and len(set(made)) == 40, faults
        after = self.inspector.status()
        assert (after.entries_made - before.entries_made, after.outbox) == (80, 0), after
        safe = {row.id: row.sync for row in self.inspector.cases(0, 100)}
        assert all(safe[case] == self.patrol.SyncState.APPLIED for case in made)
        sync(self.cadre)
        assert set(made) <= {row.id for row in self.cadre.cases(0, 100)}

    def a_lost_phone_keeps_its_work_in_the_held_box(self):
        person = self.cadre.status().person
        for device in self.server.errand("device", "list"):
            if device["person"] == person:
                self.server.errand("device", "revoke", "--device", device["device"])
        self.cadre.act(self.note_at, "note", self.patrol.Body(words="电话已联系"))
        # It hands in what it has, and tells its person that he must enrol anew.
        with raises(self.patrol.PatrolError.SignedOut):
            sync(self.cadre)
        held = self.cadre.boxed()
        assert [(one.case_id, one.action, one.body.words) for one in held] == [
            (self.note_at, "note", "电话已联系")], held
        assert held[0].state == self.patrol.BoxState.HELD and held[0].code == "review", held
        status = self.cadre.status()
        assert (status.held, status.refused, status.outbox) == (1, 0, 0), status
        with raises(self.patrol.PatrolError.NotFound):
            self.cadre.dismiss(held[0].id)
        assert len(self.cadre.boxed()) == 1
        assert self.cadre.notices() == []

    def after_shutdown_every_call_says_so_and_nothing_is_called_back(self):
        patrol = self.patrol

        heard = []

        class Ear(patrol.Observer):
            def changed(self, ids):
                heard.append(ids)

        ear = Ear()
        freed = weakref.ref(ear)
        watch = self.inspector.watch(ear)
        del ear
        cases = self.inspector.cases(0, 100)
        self.server.stop()
        with Silent(self.server.port) as silent:
            def shut_when_asked():
                self.kept = silent.wait_for_request()
                self.inspector.shutdown()

            other = threading.Thread(target=shut_when_asked)
            other.start()
            with raises(patrol.PatrolError.ShutDown):
                sync(self.inspector)
            other.join(PATIENCE_S)
        gc.collect()
        assert freed() is None, "the observer is still held"
        self.inspector.shutdown()
        watch.stop()
        for call in (
            self.inspector.status, self.inspector.directory, self.inspector.boxed, self.inspector.notices,
            lambda: self.inspector.cases(0, 1), lambda: self.inspector.case_view(self.case),
            lambda: self.report(self.inspector, "太晚了"), lambda: sync(self.inspector),
        ):
            with raises(patrol.PatrolError.ShutDown):
                call()
        # The file is whole, and opens again. What is being saved at a shutdown is saved, and nobody is told.
        again = patrol.Patrol.open(self.file("inspector.db"), self.host)
        assert again.cases(0, 100) == cases and again.rescued() is None
        watch = again.watch(Ear())
        self.host.meanwhile = again.shutdown
        last = self.report(again, "最后一件").id
        self.host.meanwhile = None
        with raises(patrol.PatrolError.ShutDown):
            again.status()
        assert heard == [], heard
        again = patrol.Patrol.open(self.file("inspector.db"))
        assert again.cases(0, 1)[0].id == last
        again.shutdown()
        self.cadre.shutdown()

    STEPS = (
        a_damaged_file_is_moved_aside_and_kept,
        a_newer_file_asks_for_an_update_and_a_folder_makes_room,
        enrolling_fails_by_name_and_then_works_once,
        the_directory_names_villages_and_categories,
        a_report_without_a_line_is_saved_here,
        with_a_line_the_server_takes_it_and_gives_a_number,
        the_office_dispatches_it_to_the_village,
        the_cadre_gets_it_and_resolves_it,
        what_the_rules_refuse_is_an_error_with_its_code,
        the_check_passes_and_the_office_closes,
        the_phone_reads_back_the_whole_story,
        a_tally_counts_what_needs_no_case,
        components_come_with_a_sync_and_the_nearest_are_named,
        the_host_is_asked_for_the_time,
        an_observer_hears_until_its_handle_is_gone,
        what_callbacks_throw_harms_nothing,
        what_the_border_cannot_read_is_an_exception,
        a_sync_is_cancelled_while_the_server_is_silent,
        a_cancelled_task_takes_its_sync_with_it,
        two_threads_work_while_syncs_run,
        a_lost_phone_keeps_its_work_in_the_held_box,
        after_shutdown_every_call_says_so_and_nothing_is_called_back,
    )

    def run(self):
        for step in self.STEPS:
            words = step.__name__.replace("_", " ")
            try:
                found = step(self)
            except BaseException:
                print("FAIL", words, flush=True)
                traceback.print_exc()
                print("the server's last lines:", *self.server.log[-10:], sep="\n  ", file=sys.stderr)
                return 1
            print("ok  ", words, "(%s)" % found if found else "", flush=True)
        return 0


def main():
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("--module", required=True, help="folder of the generated module and the library")
    read.add_argument("--server", required=True, help="the server's binary")
    read.add_argument("--directory", required=True, help="the directory's folder")
    args = read.parse_args()
    sys.path.insert(0, args.module)
    import patrol

    with tempfile.TemporaryDirectory(prefix="xuncun-smoke-") as folder:
        server = Server(args.server, folder, args.directory)
        try:
            server.start()
            return Smoke(patrol, server, folder).run()
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
