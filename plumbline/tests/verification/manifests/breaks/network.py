"""What the check of network sees."""

from __future__ import annotations

from .parts import Break, policy, without

BREAKS: list[Break] = [
    ("the policies stop backend -> postgres:5432", lambda m: policy(m, "backend")["egress"].pop(0)),
    (
        "the policies stop caddy -> log-sink:9001/UDP",
        lambda m: policy(m, "log-sink")["ingress"][0]["ports"].pop(),
    ),
    (
        "allow log-sink -> postgres:5432",
        lambda m: (
            policy(m, "postgres")["ingress"].append({"ports": [{"port": 5432}]}),
            policy(m, "log-sink")["egress"].append({"ports": [{"port": 5432}]}),
        ),
    ),
    ("allow anywhere -> caddy:9000", lambda m: policy(m, "caddy")["ingress"][1].pop("from")),
    (
        "allow redis -> anywhere",
        lambda m: (without(m, "NetworkPolicy", "default-deny"), policy(m, "redis").update(policyTypes=["Ingress"])),
    ),
    ("allow redis -> cluster DNS:53", lambda m: policy(m, "dns").update(podSelector={})),
    ("the policies stop caddy -> cluster DNS", lambda m: without(m, "NetworkPolicy", "dns")),
    (
        "allow anywhere -> backend:8001",
        lambda m: policy(m, "backend")["ingress"][0].update({"from": [{"namespaceSelector": {}}]}),
    ),
    (
        "allow backend -> postgres:9999",
        lambda m: (
            policy(m, "postgres")["ingress"][0]["ports"][0].update(endPort=9999),
            policy(m, "backend")["egress"][0]["ports"][0].update(endPort=9999),
        ),
    ),
    (
        "allow log-sink -> redis:1/TCP",
        lambda m: (
            policy(m, "redis")["ingress"][0].update(ports=[{"protocol": "TCP"}]),
            policy(m, "log-sink")["egress"][0].update(ports=[{"protocol": "TCP"}]),
        ),
    ),
    (
        "the policies stop migrate -> postgres",
        # Of what comes in alone, then, which is nothing.
        lambda m: policy(m, "migrate").update(policyTypes=["Ingress"]),
    ),
    ("the policies stop backup -> postgres:5432", lambda m: without(m, "NetworkPolicy", "backup")),
    (
        "the policies of backup let out backup -> redis:6379",
        lambda m: policy(m, "backup")["egress"].append({"ports": [{"port": 6379}]}),
    ),
]
