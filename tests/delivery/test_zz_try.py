def test_basic(world):
    w = world(); w.farm.obliging()
    run = w.campaign({"a.example": 100, "b.example": 3})
    w.send(60)
    print(w.clock.seconds(), w.statuses(run), len(w.farm.made), w)
    w.settle_down(); w.check_empty()
    print(w)
