"""talk – a long talk with a server, in both dialects, for test_same.py: everything that can be asked,
where the answer is defined, ties and oddities above all. ask(method, path, body) asks and writes
the answer down; nothing else is looked at, but what is needed to go on (cursors, ids)."""
import json
from urllib.parse import quote

V1, V2 = "", "/api/v2/chat"

# Values whose order, equality and folding engines differ in, if they can: numbers beyond doubles,
# letters beyond ASCII, equal ones in other spellings, nothing at all.
ODD = [0, -0.0, 1, 1.0, 1.5, -1, 10, 9, 9007199254740993, 9007199254740992, 9223372036854775807, 1e300, 1e-300, -1e300,
       0.1, 0.30000000000000004, 100000000000000000000.0, "", "a", "A", "b", "B", "10", "9", "Zoë", "ZOË", "zoë", "é", "É",
       "ß", "SS", "ǅ", "İ", "ı", "日本", "🎉", " lead", "trail ", "two words", "100%", "a_b", "a\\b", "O'Neil", '"quoted"',
       "tab\there", "line\nbreak", "\u007f", "\ufffd", "\U0010ffff", True, False, None, [], {}, [1, 2], [2, 1],
       ["a"], ["a", "b"], {"a": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"deep": {"er": [{"est": None}]}}, "null", "true", "1"]

OPERATORS = ("$eq", "$gt", "$gte", "$lt", "$lte", "$in", "$exists", "$contains", "$autocomplete", "$ne", "$nin")


def users_path(dialect):
    return "/users" if dialect == V1 else "/api/v2/users"


def query_users(ask, dialect, conditions, **more):
    payload = {"filter_conditions": conditions, "limit": 100, **more}
    return ask("GET", users_path(dialect) + "?payload=" + quote(json.dumps(payload)))


def pages(ask, path, body, key, limit=7, most=40):
    """Forward to the end, then back to the beginning."""
    answer = ask("POST", path, {**body, "limit": limit})
    last = None
    for _ in range(most):
        if answer.get("next") is None:
            break
        last = answer
        # The cursor counts, and not what stands beside it.
        answer = ask("POST", path, {"limit": limit, "next": answer["next"], "sort": [{"field": "id"}]})
    for _ in range(most):
        if answer.get("prev") is None:
            break
        answer = ask("POST", path, {"limit": limit, "prev": answer["prev"]})
    return last


# ---- users ----------------------------------------------------------------------------------


def people(ask):
    body = {f"odd-{i:02d}": {"id": f"odd-{i:02d}", "value": value, "group": i % 5} for i, value in enumerate(ODD)}
    ask("POST", "/users", {"users": body})
    named = ("Ann", "ann", "ANN", "Änne", "änne", "Bob Ann", "bob ann", "Zoë Ann", "", "O'Neil 100% a_b \\", "李", "Ⅷ", "aa", "a-b")
    ask("POST", "/users", {"users": {
        f"name-{i:02d}": {"id": f"name-{i:02d}", "name": name, "role": ("admin", "user")[i % 2], "teams": ["red", "blue"][: i % 3],
                          "language": ("en", "de", "")[i % 3], "age": i, "team": "red" if i % 4 == 0 else None}
        for i, name in enumerate(named)}})
    ask("POST", "/api/v2/users", {"users": {
        f"v2-{i:02d}": {"id": f"v2-{i:02d}", "name": f"V {i}", "custom": {"age": i * 1.5, "tags": ["x", "y"][: i % 3],
                                                                          "nest": {"deep": {"n": i}}}} for i in range(9)}})
    ask("POST", "/users", {"users": {u: {"id": u, "name": u.title()} for u in ("ann", "bob", "carl", "dora", "sender")}})
    ask("POST", "/users/import", b'{"id":"imp-1","name":"I","x":1}\n{"id":"bad id"}\n\nnot json\n{"id":"imp-2","teams":["red"]}\n')
    for bad in ({}, {"users": {}}, {"users": {"a b": {"id": "a b"}}}, {"users": {"x": {"id": "y"}}}, {"users": {"x": 7}},
                {"users": {"x": {"id": "x", "name": 7}}}, {"users": {"x": {"id": "x", "teams": ["t" * 101]}}},
                {"users": {"x": {"id": "x", "big": "x" * 6000}}}, {"users": {"n" * 256: {"id": "n" * 256}}}, b"{", b'"\\u0000"',
                b'{"users":{"x":{"id":"x","name":"\\ud800"}}}', b'{"users":{"x":{"id":"x","n":1e999}}}', b"\xff"):
        ask("POST", "/users", bad)
    ask("PATCH", "/users", {"users": [{"id": "ann", "set": {"name": "Anna", "pets.cat": "Tom", "n": 1.0}, "unset": ["x"]},
                                      {"id": "bob", "set": {"pets": {"dog": None}}}]})
    ask("PATCH", "/users", {"users": [{"id": "ann", "unset": ["pets.cat", "name"]}]})
    ask("PATCH", "/api/v2/users", {"users": [{"id": "v2-01", "set": {"nest.deep.n": "text"}}]})
    ask("PATCH", "/users", {"users": [{"id": "nobody-at-all", "set": {"name": "x"}}]})
    ask("POST", "/users", {"users": {"ann": {"id": "ann", "name": "Ann", "n": 1.0, "list": [1.0, 1e2, 1E+2, 0.1]}}})
    ask("POST", "/users/delete", {"user_ids": ["carl", "imp-1", "never-was"], "user": "soft"})
    ask("DELETE", "/users/imp-2?hard_delete=true")
    ask("DELETE", "/users/nobody")


def user_queries(ask):
    for dialect in (V1, V2):
        query_users(ask, dialect, {})
        for sort in ([{"field": "id", "direction": 1}], [{"field": "id", "direction": -1}],
                     [{"field": "name", "direction": 1}], [{"field": "name", "direction": -1}],
                     [{"field": "role"}, {"field": "name", "direction": -1}],
                     [{"field": "last_active", "direction": 1}, {"field": "id"}],
                     [{"field": "created_at", "direction": 1}], [{"field": "created_at", "direction": -1}],
                     [{"field": "value", "direction": 1}], [{"field": "value", "direction": -1}],
                     [{"field": "age", "direction": 1}], [{"field": "group"}, {"field": "value"}],
                     [{"field": "no such thing"}], [{"field": "teams"}], [{"field": "language", "direction": -1}]):
            query_users(ask, dialect, {}, sort=sort)
            query_users(ask, dialect, {}, sort=sort, limit=5, offset=17)
    for op in OPERATORS[:8]:
        for value in ODD if op != "$exists" else ODD[:1] + [True, False]:
            operand = [value, "zz"] if op == "$in" else value
            query_users(ask, V1, {"value": {op: operand}}, sort=[{"field": "id"}])
    for op in OPERATORS:
        for field, value in (("id", "name-05"), ("name", "ann"), ("name", "Änne"), ("name", "änne"), ("name", "%"), ("name", "a_"),
                             ("name", "\\"), ("name", ""), ("name", "'"), ("role", "admin"), ("teams", "red"), ("team", "red"),
                             ("language", "en"), ("banned", False), ("age", 3), ("age", 4.5), ("nest.deep.n", 3),
                             ("nest", {"deep": {"n": 3}}), ("tags", "x"), ("created_at", "2001-01-01T00:00:00Z"),
                             ("created_at", "0001-01-01T00:00:00Z"), ("created_at", "9999-12-31T23:59:59.999999Z"),
                             ("created_at", 1), ("updated_at", "2099-01-01T00:00:00+01:00"), ("last_active", None),
                             ("username", "x"), ("email", "x")):
            operand = [value] if op in ("$in", "$nin") else value
            query_users(ask, V2, {field: {op: operand}}, sort=[{"field": "id"}])
    for conditions in ({"$or": [{"name": "Ann"}, {"age": {"$gt": 5}}]}, {"$nor": [{"value": {"$exists": True}}, {"age": {"$lt": 3}}]},
                       {"$and": [{"group": 1}, {"value": {"$gt": ""}}]}, {"$or": []}, {"$xor": [{}]}, {"": 1}, {"a" * 300: 1},
                       {"teams": ["red"]}, {"teams": []}, {"teams": None}, {"teams": ["red", "blue"]},
                       {"id": {"$in": [f"odd-{i:02d}" for i in range(90)]}}, {"id": {"$in": []}}, {"id": {"$nin": []}},
                       {"id": {"$in": [f"u{i}" for i in range(600)] + ["ann"]}}, {"value": {"$in": list(range(900)) + ["a"]}},
                       {"name": {"$gt": "a", "$lt": "b"}}, {"$and": [{"$or": [{"group": g}, {"age": g}]} for g in range(60)]},
                       {"value": {"$in": [1e300, 9007199254740993]}}, {"value": 9007199254740992.0}, {"value": 1E2}, 7, [], "x"):
        query_users(ask, V1, conditions, sort=[{"field": "id"}])


# ---- segments -------------------------------------------------------------------------------


def segments(ask, settled):
    for i in range(23):
        ask("POST", "/segments", {"id": f"seg-{i:02d}", "type": "user", "name": ("Ännä", "b", "B", "", "a", "A")[i % 6],
                                  "description": "d" * (i % 3)})
    for body in ({"id": "f-odd", "type": "user", "filter": {"value": {"$gte": "a"}}},
                 {"id": "f-team", "type": "user", "name": "T", "filter": {"team": "red"}},
                 {"id": "all", "type": "user", "all_users": True}, {"id": "ü/ö%20+", "type": "user", "name": "odd id"},
                 {"id": "list", "type": "user"}, {"id": "list", "type": "user"}, {"type": "channel", "id": "chan"},
                 {"type": "channel", "id": "chan-all", "all_sender_channels": True}, {"type": "nothing"}, {}, {"id": "x" * 256, "type": "user"},
                 {"id": "z", "type": "user", "filter": {}}, {"id": "z", "type": "user", "filter": {"name": {"$foo": 1}}},
                 {"id": "z", "type": "user", "all_users": True, "filter": {"name": "x"}}):
        ask("POST", "/segments", body)
    settled("f-odd", "f-team", "all")
    for dialect in (V1, V2):
        for ident in ("f-odd", "f-team", "all", "list", "chan", "nowhere", quote("ü/ö%20+", safe="")):
            ask("GET", f"{dialect}/segments/{ident}")
    targets = [f"t-{i:05d}" for i in range(3000)] + ["ann", "bob", "Zed", "zed", "_", "@", "A", "a", "Ä"[:0] + "9", "10"]
    ask("POST", "/segments/list/addtargets", {"target_ids": targets[::-1]})
    ask("POST", "/segments/list/addtargets", {"target_ids": targets[:10]})
    ask("POST", "/segments/list/addtargets", {"target_ids": ["bad id"]})
    ask("POST", "/segments/list/addtargets", {"target_ids": []})
    ask("POST", "/segments/all/addtargets", {"target_ids": ["ann"]})
    ask("POST", "/segments/list/deletetargets", {"target_ids": targets[100:200] + ["not-there"]})
    ask("GET", "/segments/list")
    for ident in ("ann", "t-00100", "t-00099", "nobody"):
        ask("GET", f"/segments/list/target/{ident}")
        ask("GET", f"/segments/f-odd/target/{ident}")
    for body in ({}, {"filter": {"target_id": {"$gte": "t-02995"}}}, {"sort": [{"field": "target_id", "direction": -1}]},
                 {"filter": {"target_id": {"$in": ["ann", "Zed", "nobody"]}}}, {"Filter": {"target_id": {"$lt": "a"}}},
                 {"filter": {"target_id": {"$gt": "Z", "$lte": "t-00005"}}}, {"sort": [{"field": "created_at"}]}, {"filter": {"x": 1}},
                 {"limit": 10001}, {"next": "nonsense"}):
        answer = ask("POST", "/segments/list/targets/query", {"limit": 20, **body})
        if "next" in answer:
            answer = ask("POST", f"{V2}/segments/list/targets/query", {"limit": 1500, "next": answer["next"]})
            if "prev" in answer:
                ask("POST", "/segments/list/targets/query", {"limit": 5, "prev": answer["prev"]})
    for body in ({"sort": [{"field": "name"}]}, {"sort": [{"field": "name", "direction": -1}]}, {}, {"sort": [{"field": "all_users"}]},
                 {"filter": {"name": {"$in": ["a", "Ännä"]}}, "sort": [{"field": "name"}, {"field": "id", "direction": -1}]},
                 {"filter": {"name": {"$gt": "B"}}, "sort": [{"field": "id"}]}, {"filter": {"type": "channel"}},
                 {"filter": {"all_users": True}}, {"filter": {"all_users": {"$lt": True}}, "sort": [{"field": "id"}]},
                 {"sort": [{"field": "updated_at"}, {"field": "name"}]}):
        for dialect in (V1, V2):
            pages(ask, f"{dialect}/segments/query", body, "segments")
    for body in ({"limit": 101}, {"filter": {"size": 1}}, {"sort": [{"field": "size"}]}, {"sort": 7}, {"next": "x", "prev": "y"}, {"limit": "a"}):
        ask("POST", "/segments/query", body)
    ask("PUT", "/segments/seg-01", {"description": "new", "name": None})
    ask("PUT", f"{V2}/segments/f-team", {"filter": {"team": {"$in": ["red", "blue"]}}})
    ask("PUT", "/segments/list", {"filter": {"team": "red"}})
    ask("DELETE", "/segments/seg-22")
    ask("DELETE", "/segments/seg-22")
    settled("f-team")


# ---- campaigns ------------------------------------------------------------------------------


def campaign(ident, **more):
    return {"id": ident, "name": ident.upper(), "sender_id": "sender", "create_channels": True,
            "channel_template": {"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"},
            "message_template": {"text": "Hi {{ receiver.name|default:\"you\" }} {{ receiver.value|json }} {{receiver.age}}",
                                 "custom": {"v": "{{receiver.value}}", "n": 1.50, "t": "{{ receiver.nest }}"},
                                 "attachments": [{"type": "x", "title": "{{receiver.name|upper}} {{ receiver.name|lower }}"}]}, **more}


def run(ask, completed, ident, **more):
    ask("POST", "/campaigns", campaign(ident, **more))
    # What is told of a campaign that runs depends on the moment; the start itself does not.
    ask("POST", f"/campaigns/{ident}/start", {}, volatile=("stats", "updated_at", "status"))
    completed(ident)
    for dialect in (V1, V2):
        first = ask("GET", f"{dialect}/campaigns/{ident}?limit=3")
        if first["users"].get("next"):
            second = ask("GET", f"{dialect}/campaigns/{ident}?limit=4&next=" + quote(first["users"]["next"]))
            if second["users"].get("prev"):
                ask("GET", f"{dialect}/campaigns/{ident}?limit=4&prev=" + quote(second["users"]["prev"]))


def campaigns(ask, completed):
    targets = ["odd-%02d" % i for i in range(len(ODD))] + ["ann", "bob", "carl", "sender", "ghost", "v2-03", "name-00"]
    run(ask, completed, "by-id", user_ids=targets[::-1])
    run(ask, completed, "again", user_ids=targets, channel_template={"type": "messaging", "id": "{{receiver.id}}-{{sender.id}}"})
    run(ask, completed, "distinct", user_ids=targets[:9] + ["bob", "dora"], channel_template={"type": "team"})
    run(ask, completed, "three", user_ids=["bob", "odd-07", "odd-08"], sender_id="ann", sender_mode="include",
        channel_template={"type": "messaging", "members": ["dora", "carl"], "custom": {"k": "{{receiver.id}}", "e": 1e3}})
    run(ask, completed, "stored", user_ids=["bob", "ann", "odd-20", "odd-30"], sender_visibility="hidden",
        channel_template={"type": "gaming", "id": "x{{receiver.age}}-{{receiver.id|upper}}", "custom": {"a": [1, 2.0]}})
    run(ask, completed, "excluded", user_ids=["bob", "dora"], sender_mode="exclude", show_channels=True,
        channel_template={"type": "commerce", "id": "e-{{receiver.id}}", "members_template": [
            {"user_id": "ann", "channel_role": "channel_moderator", "custom": {"m": True}}]})
    run(ask, completed, "no-channels", user_ids=["bob", "name-05"], create_channels=False)
    run(ask, completed, "bad-ids", user_ids=["bob", "v2-01"], channel_template={"type": "team", "id": "{{receiver.id}} {{receiver.name}}"})
    run(ask, completed, "long-ids", user_ids=["bob", "v2-01"],
        channel_template={"type": "team", "id": "x" * 3000 + "{{receiver.id}}"})
    run(ask, completed, "wide-ids", user_ids=["bob"], channel_template={"type": "team", "id": "{{receiver.id}}" + "ä" * 2000})
    run(ask, completed, "by-segments", segment_ids=["list", "f-odd", "f-team", "all", "seg-03"])
    run(ask, completed, "nobody", user_ids=[])
    run(ask, completed, "only-ghosts", user_ids=["g1", "g2"])
    for i in range(20):
        ask("POST", "/campaigns", campaign(f"draft-{i:02d}", name=("", "ä", "a", "A", "b")[i % 5], user_ids=["bob", "ann"][: i % 3],
                                           sender_id=("sender", "ann")[i % 2], description="d" if i % 2 else None))
    ask("POST", f"{V2}/campaigns", campaign("v2-campaign", user_ids=["bob"], segment_ids=None))
    for bad in ({}, {"sender_id": "nobody", "message_template": {"text": "x"}}, campaign("by-id"), campaign("x", user_ids=["a b"]),
                campaign("x", segment_ids=["nowhere"]), campaign("x", segment_ids=[None]), campaign("x", segment_ids=["list"], user_ids=["bob"]),
                campaign("x", segment_ids=["list", "chan"]), campaign("x", sender_mode="maybe"), campaign("x" * 300),
                campaign("x", message_template={"text": "{{ unclosed"}), campaign("x", message_template={"text": "{% for x in y %}"}),
                campaign("x", channel_template={"type": "unknown"}), campaign("x", channel_template=None)):
        ask("POST", "/campaigns", bad)
    for body in ({"name": "new", "description": None}, {"user_ids": ["ann", "dora"]}, {"segment_ids": ["list"], "user_ids": []},
                 {"sender_id": "nobody"}, {"channel_template": None}, {"message_template": {"text": "{{"}}):
        ask("PUT", "/campaigns/draft-01", body)
        ask("PUT", f"{V2}/campaigns/draft-02", body)
    ask("POST", "/campaigns/draft-03/start", {"scheduled_for": "2099-01-01T00:00:00.123456Z", "stop_at": "2099-01-02T00:00:00+02:00"})
    ask("POST", f"{V2}/campaigns/draft-04/start", {"scheduled_for": 4070908800000000000})
    ask("POST", "/campaigns/draft-05/start", {"scheduled_for": "2099-01-01T00:00:00Z", "stop_at": "2098-01-01T00:00:00Z"})
    ask("POST", "/campaigns/draft-06/start", {"stop_at": "1990-01-01T00:00:00Z"})
    ask("POST", "/campaigns/draft-07/start", {"scheduled_for": "never"})
    ask("POST", "/campaigns/draft-00/start", {})
    ask("POST", "/campaigns/draft-03/start", {})
    ask("POST", "/campaigns/draft-03/stop", {})
    ask("POST", f"{V2}/campaigns/draft-04/stop", {})
    ask("POST", f"{V2}/campaigns/draft-04/stop", {})
    ask("POST", "/campaigns/draft-05/stop", b"")
    ask("POST", "/campaigns/by-id/stop", b"null")
    ask("DELETE", "/campaigns/draft-08")
    ask("DELETE", "/campaigns/draft-08")
    ask("DELETE", "/campaigns/nobody")
    for body in ({}, {"filter": {"status": "completed"}}, {"filter": {"status": {"$in": ["draft", "stopped"]}}, "sort": [{"field": "name"}]},
                 {"sort": [{"field": "name", "direction": -1}, {"field": "id", "direction": -1}]}, {"sort": [{"field": "status"}]},
                 {"sort": [{"field": "sender_id"}, {"field": "created_at", "direction": -1}]}, {"filter": {"name": {"$gt": "a"}}, "sort": [{"field": "id"}]},
                 {"filter": {"sender_id": {"$gte": "b"}}, "sort": [{"field": "updated_at", "direction": -1}]},
                 {"filter": {"segments": {"$in": ["list", "all"]}}}, {"filter": {"segments": {"$contains": "list"}}},
                 {"filter": {"id": {"$eq": "by-id"}}}, {"filter": {"created_at": {"$lt": "2020-01-01T00:00:00Z"}}},
                 {"filter": {"$or": [{"name": "ä"}, {"id": {"$lte": "b"}}]}, "user_limit": 2}):
        for dialect in (V1, V2):
            pages(ask, f"{dialect}/campaigns/query", body, "campaigns")
    for body in ({"limit": 101}, {"user_limit": 1001}, {"filter": {"stats": 1}}, {"sort": [{"field": "stats"}]}, {"filter": {"name": {"$contains": "x"}}},
                 {"filter": {"segments": {"$in": []}}}, {"offset": 5, "limit": 2}):
        ask("POST", "/campaigns/query", body)


# ---- channels and messages ------------------------------------------------------------------


def inbox(ask, dialect, user, filter_conditions=None, **more):
    return ask("POST", f"{dialect}/channels", {"user_id": user, "filter_conditions": filter_conditions or {"members": {"$in": [user]}},
                                              "state": True, "limit": 30, **more})


def channels(ask):
    for i in range(12):
        ask("POST", f"/channels/messaging/room-{i:02d}/query", {"data": {
            "created_by_id": ("ann", "bob")[i % 2], "members": ["ann", "bob", "dora"][: 1 + i % 3], "name": ("Ü", "u", "U", None)[i % 4],
            "rank": ODD[i], "team": "red" if i % 3 == 0 else None, "frozen": i % 5 == 0}, "state": True})
    ask("POST", f"{V2}/channels/team/query", {"data": {"created_by_id": "ann", "members": [{"user_id": "ann"}, {"user_id": "dora"}]}, "state": True})
    ask("POST", "/channels/team/query", {"data": {"created_by_id": "ann", "members": ["dora", "ann"]}})
    ask("POST", "/channels/messaging/query", {"data": {"created_by_id": "ann", "members": ["ann", "bob", "dora", "v2-01", "v2-02"]}})
    for body in ({"data": {"members": ["ann"]}}, {"data": {"created_by_id": "nobody"}}, {"data": {"created_by_id": "ann", "members": ["nobody"]}}, {}):
        ask("POST", "/channels/messaging/new/query", body)
        ask("POST", "/channels/messaging/query", body)
    ask("POST", "/channels/messaging/bad id!/query".replace(" ", "%20"), {"data": {"created_by_id": "ann"}})
    ask("POST", "/channels/nothing/x/query", {"data": {"created_by_id": "ann"}})
    for i in range(9):
        ask("POST", "/channels/messaging/room-02/message", {"message": {"id": f"m-{i}", "text": f"text {i} Ü", "user_id": ("ann", "bob")[i % 2],
                                                                       "n": ODD[i], "attachments": [{"a": i}][: i % 2]}})
    sent = ask("POST", f"{V2}/channels/messaging/room-02/message", {"message": {"text": "by v2", "user_id": "dora", "custom": {"k": 1.0}}})
    ask("POST", "/channels/messaging/room-02/message", {"message": {"id": "m-1", "text": "again", "user_id": "ann"}})
    for message in ({"text": "x"}, {"text": "x", "user_id": "nobody"}, {"user_id": "ann"}, {"text": "x" * 6000, "user_id": "ann"},
                    {"text": "x", "user_id": "ann", "id": "a b/c"}, 7):
        ask("POST", "/channels/messaging/room-02/message", {"message": message})
    ask("POST", "/channels/messaging/nowhere/message", {"message": {"text": "x", "user_id": "ann"}})
    for dialect in (V1, V2):
        ask("GET", f"{dialect}/messages/m-3")
        ask("GET", f"{dialect}/messages/" + sent["message"]["id"])
        ask("GET", f"{dialect}/messages/nowhere")
        ask("GET", f"{dialect}/channels/messaging/room-02")
        ask("GET", f"{dialect}/channels/messaging/bob-sender")
        ask("GET", f"{dialect}/channels/messaging/nowhere")
        ask("POST", f"{dialect}/channels/messaging/bob-sender/query", {"state": True, "messages": {"limit": 2}, "members": {"limit": 1}, "user_id": "bob"})
    for user in ("bob", "ann", "dora", "odd-08", "sender", "nobody"):
        for sort in ([], [{"field": "last_message_at", "direction": -1}], [{"field": "last_message_at", "direction": 1}],
                     [{"field": "created_at", "direction": 1}], [{"field": "member_count", "direction": -1}], [{"field": "name", "direction": 1}],
                     [{"field": "rank", "direction": -1}], [{"field": "unread_count", "direction": -1}, {"field": "created_at", "direction": -1}],
                     [{"field": "has_unread", "direction": -1}], [{"field": "updated_at", "direction": 1}]):
            inbox(ask, V1, user, sort=sort, message_limit=3, member_limit=3, limit=9)
        inbox(ask, V2, user, sort=[{"field": "last_updated", "direction": -1}], offset=3)
        found = inbox(ask, V1, user, limit=1, sort=[{"field": "last_message_at", "direction": -1}])
    for conditions in ({"type": "team"}, {"cid": {"$in": ["messaging:room-01", "messaging:bob-sender", "gaming:x-BOB", "x"]}},
                       {"id": "room-03"}, {"team": "red"}, {"name": "Ü"}, {"name": {"$autocomplete": "ü"}}, {"rank": {"$gt": 0}},
                       {"rank": {"$exists": False}}, {"rank": {"$in": [1, 9007199254740993, "a"]}}, {"frozen": True}, {"distinct": True},
                       {"member_count": {"$gte": 2}}, {"created_by_id": "ann"}, {"members": {"$in": ["ann", "bob"]}}, {"members": ["ann", "dora"]},
                       {"k": {"$contains": "bob"}}, {"created_at": {"$gt": "2001-01-01T00:00:00Z"}}, {"last_message_at": {"$exists": False}},
                       {"$or": [{"id": "room-03"}, {"id": "room-04"}]}, {"hidden": True}, {"nonsense": {"$foo": 1}}, {"muted": True}):
        ask("POST", "/channels", {"filter_conditions": conditions, "sort": [{"field": "created_at"}], "state": False, "limit": 30})
        inbox(ask, V1, "ann", conditions, sort=[{"field": "created_at", "direction": -1}], state=False)
    for user, room in (("bob", "messaging/bob-sender"), ("ann", "messaging/room-02"), ("odd-08", "messaging/odd-08-sender"), ("dora", "messaging/nowhere")):
        ask("POST", f"/channels/{room}/read", {"user_id": user})
        ask("POST", f"{V2}/channels/{room}/read", {"user_id": user})
        inbox(ask, V1, user, sort=[{"field": "last_message_at", "direction": -1}], limit=3, message_limit=2)
    ask("POST", "/channels/messaging/room-02/read", {"user_id": "bob", "message_id": "m-4"})
    ask("POST", "/channels/messaging/room-02/read", {"user_id": "bob", "message_id": "nowhere"})
    inbox(ask, V1, "bob", sort=[{"field": "unread_count", "direction": -1}, {"field": "created_at"}])
    for ident in ("by-id", "again", "distinct", "three"):
        ask("GET", f"/campaigns/{ident}?limit=1")
    return found


def errors(ask):
    for method, path in (("GET", "/nowhere"), ("PUT", "/campaigns"), ("POST", "/api/v2/chat/nowhere"), ("GET", "/campaigns/%00"),
                         ("GET", "/campaigns/%ff"), ("GET", "/segments/%F0%9F%8E%89"), ("GET", "/users?payload=%7B"), ("GET", "/users?payload=7"),
                         ("GET", "/campaigns/by-id?limit=x"), ("GET", "/campaigns/by-id?limit=1001"), ("GET", "/campaigns/by-id?next=x"),
                         ("DELETE", "/users/%27%3B%20DROP"), ("GET", "/tasks/x"), ("GET", "/healthz"), ("GET", "/readyz")):
        ask(method, path)


def talk(ask, settled, completed):
    people(ask)
    user_queries(ask)
    segments(ask, settled)
    campaigns(ask, completed)
    channels(ask)
    errors(ask)
