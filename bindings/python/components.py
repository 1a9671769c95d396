"""What stands in a village (部件), from Python: a step of the smoke test that needs nothing but a phone that is enrolled."""

import asyncio

from expect import raises, sync

ADMINISTRATOR = "管理员01"


def components_come_with_a_sync_and_the_nearest_are_named(smoke):
    patrol = smoke.patrol
    path = smoke.file("components.csv")
    code = smoke.village.code // 10**6 * 10**11 + 1037 * 10**6
    row = "%d,路灯,91350100M000100Y43,城市管理局,%d001,完好,20260101,113.250000%d,22.125\n"
    with open(path, "w", encoding="utf-8") as table:
        table.write("code,name,authority_code,authority_name,unit_grid,state,first_on,lon_wgs84,lat_wgs84\n")
        table.writelines(row % (code + number, smoke.village.code, number) for number in range(1, 10))
    smoke.server.errand("import", "--adopt", path)
    sync(smoke.inspector)
    here = patrol.Position(lon_e7=1132500003, lat_e7=221250000)
    near = smoke.inspector.nearest_components(here, 2)
    assert [one.component.code - code for one in near] == [3, 2], near
    assert near[0].metres == 0 and 0 < near[1].metres < 1, near
    lamp = smoke.inspector.component(code + 9)
    assert (lamp.name, lamp.authority.name, lamp.changed_on) == ("路灯", "城市管理局", None), lamp
    assert smoke.inspector.component(code + 10) is None
    with raises(patrol.PatrolError.Invalid, what="component"):
        smoke.inspector.component(7)
    refreshed = asyncio.run(smoke.inspector.refresh_components())
    assert (refreshed.fetched, refreshed.dropped) == (0, 0), refreshed

    # A proposal for their register, adopted.
    category = patrol.Category(scheme=476785, kind=patrol.CategoryKind.COMPONENT, code=1037)
    proposal = patrol.Proposal(proposed=patrol.Proposed.BROKEN, component=code + 9)
    smoke.inspector.propose(patrol.Place(village=smoke.village.code), category, proposal)
    sync(smoke.inspector)
    smoke.server.desk_of(ADMINISTRATOR).adopt_proposals()
    sync(smoke.inspector)
    assert smoke.inspector.component(code + 9).state == "破损"
    assert [row.stage for row in smoke.inspector.surveys(0, 9)] == ["closed"]
