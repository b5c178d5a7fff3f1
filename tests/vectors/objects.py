"""Contracts over objects of a cluster, the entries that speak of them, and what a credential for them says."""
from forms import b64url, digest, jcs, leaf

ISSUER = "https://keys.example/seb"
PREFIX = "https://cluster.example:6443/"
AUDIENCE = "https://cluster.example"
UID = "0b4f7e0c-51c4-4c1c-9f0e-2b7a0b1f9d10"
TEMPLATE = {"spec": {"containers": [{"image": "registry.example/web:1", "name": "web"}]}}
PATCH = b'{"spec":{"replicas":3}}'


def body(content, media_type):
    return {"length": len(content), "media_type": media_type, "sha256": digest(content)}


def field(pointer, value):
    return {"pointer": pointer, "value": value}


def absent(pointer):
    return {"pointer": pointer, "absent": True}


def contract(operation, resource, parameters, preconditions, **changes):
    return {"constraints": {"credential_s": 10}, "operation": operation, "parameters": parameters, "preconditions": preconditions,
            "resource": resource, "risk": "L1", "target": "cluster", **changes}


DEPLOYMENT = "/apis/apps/v1/namespaces/prod/deployments/web"
PRECONDITIONS = [field("/spec/replicas", 2), {"pointer": "/spec/template", "sha256": digest(jcs(TEMPLATE))},
                 absent("/metadata/deletionTimestamp")]
VERSION = {"resource_version": "8123", "uid": UID}
CONTRACTS = {
    "patch an object": contract(
        "patch", DEPLOYMENT,
        {"body": body(PATCH, "application/merge-patch+json"), "field_manager": "seb/web",
         "fields": [field("/spec/replicas", 3), absent("/spec/paused")]},
        {"fields": PRECONDITIONS, **VERSION}, constraints={"credential_s": 10, "dry_run": True},
        postconditions={"fields": [field("/spec/replicas", 3), {"pointer": "/spec/template", "sha256": digest(jcs(TEMPLATE))}]}),
    "patch an object by its fields": contract(
        "patch", DEPLOYMENT,
        {"body": body(PATCH, "application/strategic-merge-patch+json"),
         "fields": [field("/spec/template/spec/containers/0/image", "registry.example/web:2")]},
        {"fields": [field("/spec/replicas", 2)]}, risk="L0"),
    "scale": contract("patch", DEPLOYMENT + "/scale",
                      {"body": body(PATCH, "application/merge-patch+json"), "fields": [field("/spec/replicas", 3)]}, VERSION),
    "apply a cluster's object": contract(
        "patch", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/team:web",
        {"body": body(b"{}", "application/apply-patch+yaml"), "field_manager": "seb",
         "fields": [field("/subjects/0/name", "web"), field("/roleRef/name", "team:web")], "force": True}, VERSION),
    "create an object": contract(
        "create", "/api/v1/namespaces/prod/configmaps/c1",
        {"body": body(b'{"data":{}}', "application/json"),
         "fields": [field("/data/greeting", "a \"word\"\n\u20ac"), field("/data/a~1b", "=")]}, {"absent": True}),
    "update a custom object": contract(
        "update", "/apis/example.org/v1beta1/widgets/w-1",
        {"body": body(b"{}", "application/json"), "fields": [field("/spec/size", {"b": [1, None], "a": True})]}, VERSION),
    "delete an object": contract("delete", "/api/v1/namespaces/prod/pods/p-1", {"grace_s": 0, "propagation": "Background"}, VERSION),
    "delete a namespace": contract("delete", "/api/v1/namespaces/prod", {"propagation": "Foreground"}, VERSION),
    "evict a pod": contract("create", "/api/v1/namespaces/prod/pods/p-1/eviction", {"grace_s": 30}, VERSION),
    "patch a Secret": contract("patch", "/api/v1/namespaces/prod/secrets/s-1",
                               {"body": body(b"{}", "application/merge-patch+json")},
                               {"fields": [{"pointer": "/data/key", "sha256": digest(jcs("b2xk"))}]}),
}


def policy(admitted):
    """The same policy for a cluster, whose Secrets' bodies aren't fenced."""
    admit = [{"operations": ["create", "delete", "patch", "update"], "resources": [{"prefix": "/apis/apps/v1/namespaces/prod/"}],
              "risk": "L4", "target": "cluster"}]
    return {**admitted, "authorities": [{**a, "admit": admit} for a in admitted["authorities"]], "freezes": [], "secrets": "unfenced"}


def entries(decision, read, ms, first):
    """After `first` entries: a read, the permit that rests on it, and what became of it, in turn."""
    seconds = ms // 1000
    decision = {**decision, "request_id": "request-3", "cid": "change-3", "body": digest(PATCH),
                "target": {"kind": "kubernetes", "prefix": PREFIX}}
    found = [digest(jcs(2)), digest(jcs(TEMPLATE)), None, digest(jcs(2)), None]
    live = {"read": first, "exists": True, "sha256": digest(b"the object"), "length": 10, "uid": UID, "resource_version": "8123",
            "fields": found}
    permit = {**decision, "time": ms + 310, "live": live, "verdict": "permit", "iat": seconds, "exp": seconds + 10,
              "accepted_until": seconds + 20, "mint_key": read["mint_key"]}
    outcome = {"type": "outcome", "v": 1, "decision": first + 1, "leaf": b64url(leaf(jcs(permit))), "final": True}
    causes = [{"field": "spec.replicas", "message": "Invalid value: -1: must be greater than or equal to 0", "reason": "FieldValueInvalid"},
              {"message": "\u20ac"}]
    return [
        {**read, "time": ms + 300, "purpose": "drift", "target": "cluster", "resource": DEPLOYMENT},
        permit,
        {**outcome, "time": ms + 320, "result": "applied", "evidence": "response", "http_status": 200, "resource_version": "8124"},
        {**outcome, "time": ms + 330, "result": "rejected", "evidence": "response", "http_status": 409, "code": "state_drifted",
         "reason": "Conflict"},
        {**outcome, "time": ms + 340, "result": "failed", "evidence": "never_sent", "http_status": 422, "code": "dry_run_refused",
         "reason": "Invalid", "causes": causes},
        {**decision, "time": ms + 350, "live": {**live, "fields": found[:1] + [None] + found[2:]}, "verdict": "refuse", "rule": "drift",
         "code": "state_drifted"},
        {**decision, "time": ms + 360, "live": None, "verdict": "refuse", "rule": "policy", "code": "secret_unfenced"},
    ]


def words(resource):
    """Group, namespace, resource, name, subresource of an API path."""
    parts = resource.split("/")[1:]
    group, parts = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    return group, namespace, parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def target_claims(use, c, live):
    group, namespace, resource, name, subresource = words(c["resource"])
    parameters, preconditions = c["parameters"], c["preconditions"]
    mutates = use == "mutate"
    if not mutates and subresource == "eviction":
        subresource = ""
    fields = parameters.get("fields", []) if mutates else []
    body_word = "none"
    if mutates and "body" in parameters:
        body_word = "unfenced" if (group, resource) == ("", "secrets") or not fields else "fenced"
    version = {} if not mutates or "absent" in preconditions else {**live, **preconditions}
    return {
        "use": use, "verb": c["operation"] if mutates else "get", "group": group or "-", "resource": resource,
        "subresource": subresource or "-", "namespace": namespace or "-", "name": name, "uid": version.get("uid", "-"),
        "version": version.get("resource_version", "-"), "contract": digest(jcs(c)), "body": body_word,
        "fields": [f["pointer"] if "absent" in f else f["pointer"] + "=" + jcs(f["value"]).decode() for f in fields] or ["-"]}


def claims(use, c, entry, mapping, key, domain, instance):
    jti = b64url(leaf(jcs(entry)))
    target = target_claims(use, c, entry.get("live") or {})
    own = {"iss": ISSUER + "/" + key.kid, "sub": "seb:%s:%s" % (instance, jti), "aud": AUDIENCE, "iat": entry["iat"], "nbf": entry["iat"],
           "exp": entry["exp"], "jti": jti, "cid": "change-3", "dom": domain, "ins": instance, "att": entry["attestation"]}
    if mapping == "groups":
        texts = {**{n: v for n, v in target.items() if n != "fields"}, "attestation": own["att"], "cid": own["cid"], "decision": jti}
        own["groups"] = (["broker"] + ["%s=%s" % (n, texts[n]) for n in sorted(texts)] + ["field=" + f for f in target["fields"]])
    return {**own, **target}
