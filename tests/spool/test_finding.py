"""What a reader tells, whichever database the spool is in."""

from __future__ import annotations


def test_all_rows_of_an_address_are_found_whatever_became_of_them(spool, kit):
    store, reader, identity = spool
    other = reader.campaign("other").id
    store.add_rows(
        identity,
        [
            kit.row(6, verdict="duplicate", email="User1@EXAMPLE.com"),
            kit.row(7, verdict="invalid", email="Ann <user1@example.com>"),
            kit.row(8, "xn--mller-kva.example", email="100%_a@müller.example"),
            kit.row(9, "xn--mller-kva.example", email="100xxa@müller.example"),
            kit.row(10, verdict="invalid", email="not an address"),
        ],
        {},
        True,
        1000.0,
    )

    def found(address):
        return [(campaign, row.n, row.status, due) for campaign, row, due in reader.find(address)]

    assert found(" user1@Example.com ") == [
        (identity, 1, "delivered", None),
        (identity, 6, "duplicate", None),
        (identity, 7, "invalid", None),
        (other, 1, "pending", None),
    ]
    assert found("user3@example.com") == [(identity, 3, "deferred", 99.0)]
    assert found("100%_A@xn--mller-kva.example") == [(identity, 8, "pending", None)]
    assert found("not an address") == [(identity, 10, "invalid", None)]
    assert found("user1@b.example") == []


def test_of_the_campaigns_that_have_ended_so_many_are_read(spool, kit):
    store, reader, identity = spool
    made = [kit.campaign(store, f"old{n}") for n in range(3)]
    for one in made:
        store.set_state(one, "finished", 20.0)
    every = [row.id for row in reader.campaigns()]
    assert [row.id for row in reader.campaigns(3)] == every
    assert [row.id for row in reader.campaigns(1)] == [one for one in every if one not in made[:2]]
    assert [row.id for row in reader.campaigns(0)] == [one for one in every if one not in made]
    assert list(reader.campaign_names()) == every
    assert reader.campaign_names()[identity] == reader.campaigns()[0].name


def test_an_address_is_found_in_many_campaigns_in_their_order(spool, kit):
    """More than are looked through at once."""
    store, reader, _ = spool
    made = [kit.campaign(store, f"old{n}", rows=[kit.row(1)]) for n in range(70)]
    looked = []
    found = [(campaign, row.n) for campaign, row, _ in reader.find("user1@example.com", lambda: looked.append(1))]
    assert [one for one in found if one[0] in made] == [(one, 1) for one in made]
    assert found == sorted(found)
    assert len(looked) == len(reader.campaigns())
