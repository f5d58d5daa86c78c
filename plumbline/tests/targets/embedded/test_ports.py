"""A stack keeps its ports, except those that another program has taken."""

from __future__ import annotations

from plumbline import net
from plumbline.components import PORTS
from plumbline.targets.embedded.target import EmbeddedTarget

_PORTS = {name: 20000 + number for number, name in enumerate(PORTS)}


def test_every_port_is_one_of_its_own(home):
    chosen = EmbeddedTarget(home, 0)._choose_ports()
    assert chosen.keys() == PORTS.keys()
    assert len(set(chosen.values())) == len(PORTS)


def test_ports_are_kept_from_one_deployment_to_the_next(home, monkeypatch):
    home.prepare()
    home.save(home.load(), target="embedded", ports=_PORTS)
    monkeypatch.setattr(net, "is_free", lambda _: True)
    assert EmbeddedTarget(home)._choose_ports() == _PORTS


def test_a_port_is_given_up_if_another_has_it_and_kept_if_our_own_component_has(home, supervisor, program, monkeypatch):
    taken = (_PORTS["postgres"], _PORTS["redis"])
    monkeypatch.setattr(net, "is_free", lambda port: port not in taken)
    home.save(home.load(), target="embedded", ports=_PORTS)
    supervisor.apply([program("postgres"), program("redis")])
    supervisor.start("postgres")
    chosen = EmbeddedTarget(home)._choose_ports()
    assert chosen["redis"] not in taken
    assert chosen == _PORTS | {"redis": chosen["redis"]}
