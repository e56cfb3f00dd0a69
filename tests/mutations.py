"""Breaks the product once in each of these ways, and looks whether a test notices: `python -m tests.mutations`.

Work on a clone: each break is written into the files, and taken back. Words choose some by their names. Run it after a
large move; a survivor is a test to write.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Name, file below connector_host, what stands there, what it becomes, and the test that must fail.
MUTATIONS = [
    ("ctx secret", "host/protecting.py", "[\"secret\", connection.id", "[\"sekret\", connection.id", "tests/e2e/test_release_1_0.py"),
    ("ctx key", "host/secrets.py", "[\"data key\", connection_id", "[\"datakey\", connection_id", "tests/e2e/test_release_1_0.py"),
    ("fingerprint", "crypto/key_rings.py", "b\"connector-host master key\" + key", "b\"connector-host masterkey\" + key", "tests/e2e/test_release_1_0.py"),
    ("audit digest", "model/audit.py", "[number, previous, entry.at", "[previous, number, entry.at", "tests/e2e/test_release_1_0.py"),
    ("export context", "host/connections/documents.py", "[\"export\", 1", "[\"xport\", 1", "tests/e2e/test_release_1_0.py"),
    ("cache format", "manifests/cache.py", "return kept[\"made_by\"] == self._made_by and all", "return all", "tests/host/test_memory.py"),
    ("const nonce", "crypto/aes_gcm.py", "nonce = os.urandom(NONCE)", "nonce = bytes(NONCE)", "tests/host/test_secrets_stay.py"),
    ("secret inputs", "host/inputs.py", "if self.secrets & inputs.keys():", "if False:", "tests/host/test_secrets_stay.py"),
    ("intake records", "host/intake/collecting.py", "safe = record if page.clean else self.redactor.value(record)", "safe = record", "tests/host/test_secrets_stay.py"),
    ("item name", "host/results.py", "item=None if item is None else clean(item)", "item=item", "tests/host/test_secrets_stay.py"),
    ("by_item", "host/results.py", "self.redactor.text(key or \"\")", "key or \"\"", "tests/host/test_secrets_stay.py"),
    ("list secret", "host/redaction.py", "for child in value:\n            yield from leaves(child)\n    elif value", "for child in value[1:]:\n            yield from leaves(child)\n    elif value", "tests/host/test_secrets_stay.py"),
    ("vault value", "host/vaults.py", "self.redactor.learn(text)", "pass", "tests/host/test_secrets_stay.py"),
    ("log query", "http/retry.py", "urlsplit(request.url).path", "request.url", "tests/host/test_secrets_stay.py"),
    ("lead vault", "host/connections/editing.py", " | (set(new.vault) - set(change.vault))", "", "tests/host/test_rights.py"),
    ("redirect http", "http/transport.py", "urlsplit(target)[:2] != urlsplit(url)[:2]", "urlsplit(target).hostname != urlsplit(url).hostname", "tests/parts/test_on_the_wire.py"),
    ("redirect post", "http/transport.py", "if request.method not in {\"GET\", \"HEAD\"}:", "if False:", "tests/parts/test_on_the_wire.py"),
    ("transit ca", "crypto/key_transit.py", "os.environ.get(\"CONNECTOR_HOST_TRANSIT_CA\") or None", "None", "tests/parts/test_on_the_wire.py"),
    ("rule retry", "http/retry.py", "return wanted and request.idempotent", "return wanted", "tests/parts/test_once.py"),
    ("patch", "http/server.py", "\"PUT\", \"DELETE\"})", "\"PUT\", \"PATCH\", \"DELETE\"})", "tests/parts/test_once.py"),
    ("idem key", "running/declared.py", "str(uuid.uuid4())", "\"constant\"", "tests/parts/test_once.py"),
    ("get retry", "http/retry.py", "isinstance(error, Unreachable) or request.idempotent", "isinstance(error, Unreachable)", "tests/parts/test_once.py"),
    ("order steps", "host/connections/pool.py", "for step in reversed(steps):", "for step in steps:", "tests/parts/test_once.py"),
    ("token lock", "http/tokens.py", "async with kept.lock:", "if True:", "tests/parts/test_once.py"),
    ("one window", "http/limits.py", "self._windows[request.allowance.key]", "self._windows[\"x\"]", "tests/parts/test_once.py"),
    ("commit", "stores/writer.py", "db.raw.execute(\"rollback\")", "db.raw.execute(\"commit\")", "tests/parts/test_once.py"),
    ("migrate commit", "stores/migrating.py", "database.execute(\"rollback\")", "database.execute(\"commit\")", "tests/parts/test_once.py"),
    ("rewrap memory", "stores/sqlite_connections.py", "self._remembered.pop(connection_id, None)", "pass", "tests/parts/test_once.py"),
    ("intake store", "host/intake/collecting.py", "if self._broken is not None:\n            raise self._broken", "pass", "tests/host/test_verdicts.py"),
    ("unique key", "host/intake/collecting.py", "self.fail(UnexpectedReply(\"A record has no unique key, so it cannot be told from others.\"))", "pass", "tests/host/test_verdicts.py"),
    ("fan late", "running/fanout.py", "queue.finish()", "pass", "tests/host/test_verdicts.py"),
    ("fan done late", "running/fanout.py", "self._done.pop(index, None)", "None", "tests/host/test_verdicts.py"),
    ("returned", "host/results.py", "returned=len(self.records)", "returned=sum(facts.returned for facts in self._lists)", "tests/host/test_verdicts.py"),
    ("untold", "running/call.py", "        try:\n            await work(call)\n        finally:\n            call.report_lists()", "        await work(call)\n        call.report_lists()", "tests/host/test_verdicts.py"),
    ("retention", "host/history.py", "self._settings.retention_days, PRUNED", "90, PRUNED", "tests/host/test_verdicts.py"),
    ("unavailable", "model/invocation_errors.py", "kind = Kind.UNAVAILABLE", "kind = Kind.INTERNAL", "tests/host/test_verdicts.py"),
    ("refused", "model/invocation_errors.py", "    \"\"\"The host refused to send the request.\"\"\"\n\n    kind = Kind.INVALID_INPUT", "    \"\"\"The host refused to send the request.\"\"\"\n\n    kind = Kind.INTERNAL", "tests/host/test_verdicts.py"),
    ("too large", "model/invocation_errors.py", "kind = Kind.TOO_LARGE", "kind = Kind.INTERNAL", "tests/host/test_verdicts.py"),
    ("observe fail", "http/retry.py", "            self._tell(request, begun, type(error).__name__)\n", "", "tests/parts/test_once.py"),
    ("outcome", "http/retry.py", "                \"outcome\": outcome,\n", "", "tests/parts/test_once.py"),
    ("spool age", "host/uploads.py", "KEPT_SECONDS = 24 * 3600", "KEPT_SECONDS = 25 * 3600", "tests/host/test_uploads.py"),
    ("kept 256", "host/connections/pool.py", "KEPT = 256", "KEPT = 300", "tests/parts/test_bounds.py"),
    ("processes", "running/isolated/runner.py", "KEPT = 4", "KEPT = 5", "tests/parts/test_bounds.py"),
    ("growth", "http/retry.py", "2.0**attempt", "2.0", "tests/parts/test_bounds.py"),
    ("jitter", "http/retry.py", "random.uniform(0, min", "random.uniform(0, 0 * min", "tests/parts/test_bounds.py"),
    ("early", "http/limits.py", "self._refuse_if_late(request, allowance, window, window.opens_at(allowance, window.waiting))", "pass", "tests/parts/test_bounds.py"),
    ("site filter", "stores/queries.sql", " or c.recipient_site = :site", "", "tests/host/test_verdicts.py"),
    ("an unknown framing is no framing", "http/lean_connection.py", "if self._chunked or value.strip().lower() != b\"chunked\":", "if self._chunked:", "tests/transport/test_contract.py"),
    ("surplus later", "http/lean_connection.py", "        if self._answer is None or self._answer.done():\n            self.abort()\n            return\n        self._moved", "        if self._answer is None or self._answer.done():\n            return\n        self._moved", "tests/transport/test_contract.py"),
    ("surplus at once", "http/lean_connection.py", "        if self._answer is not None and self._answer.done():\n            self.reusable = False", "        pass", "tests/transport/test_fuzz.py"),
    ("the bound on heads", "http/lean_connection.py", "if self._named > self._bounds.overhead_bytes or len", "if len", "tests/transport/test_contract.py"),
    ("the bound on all that is no body", "http/lean_connection.py", "if not self._answer.done() and self._overhead() > 0:", "if False:", "tests/transport/test_contract.py"),
    ("trailers are headers", "http/lean_connection.py", "        if self._headed:\n            return\n        name", "        name", "tests/transport/test_contract.py"),
    ("the clock of silence", "http/lean_connection.py", "elif now >= self._moved + self._bounds.read_seconds:", "elif False:", "tests/transport/test_contract.py"),
    ("the deadline", "http/lean_connection.py", "if now >= self._until:", "if False:", "tests/transport/test_contract.py"),
    ("the poll before reuse", "http/lean_transport.py", "and not _readable(connection.transport)", "", "tests/transport/test_contract.py"),
    ("the cap", "http/lean_transport.py", "asyncio.Semaphore(self._bounds.connections)", "asyncio.Semaphore(10 * self._bounds.connections)", "tests/transport/test_contract.py"),
    ("room for one more", "http/lean_transport.py", "            self._kept -= 1\n\n    def _take", "            pass\n\n    def _take", "tests/transport/test_contract.py"),
    ("a header's name", "http/lean_transport.py", "not _NAME.fullmatch(name) or ", "", "tests/transport/test_fuzz.py"),
    ("a header's value", "http/lean_transport.py", "or not _VALUE.fullmatch(value)", "", "tests/transport/test_contract.py"),
    ("the framing headers", "http/transport.py", "if name.lower() in _FRAMING:", "if False:", "tests/transport/test_contract.py"),
    ("a socket in two hands", "http/lean_connecting.py", "return (await asyncio.shield(made))[1]", "return (await made)[1]", "tests/transport/test_storm.py"),
    ("httpx2: bytes held back", "http/httpx2_transport.py", "and not _held_back(connection)", "", "tests/transport/test_contract.py"),
    ("httpx2: two framings", "http/httpx2_transport.py", "if \"content-length\" in headers and \"transfer-encoding\" in headers:", "if False:", "tests/transport/test_contract.py"),
    ("httpx2: what was sent", "http/httpx2_transport.py", "faults.deadline_over(host) if sent.maybe else faults.not_accepted(host)", "faults.deadline_over(host)", "tests/transport/test_contract.py"),
    ("redirects away", "http/transport.py", "urlsplit(target)[:2] != urlsplit(url)[:2]", "False", "tests/transport/test_contract.py"),
    ("no proxy for whom the environment leaves out", "http/proxies.py", "None if excepted else ", "", "tests/transport/test_contract.py"),
    ("a packing cut short", "http/transport.py", "if self._unpack is not None and self.size and not self._unpack.eof:", "if False:", "tests/transport/test_contract.py"),
    ("a bomb", "http/transport.py", "self._bound + 1 - self.size", "0", "tests/transport/test_contract.py"),
    ("an escape hides a secret", "host/redaction.py", "if b\"\\\\u\" in body or b\"\\\\/\" in body:\n            try", "if False:\n            try", "tests/host/test_redaction.py"),
    ("a secret with a quote", "host/redaction.py", "if self._escaped and b\"\\\\\" in body:", "if False:", "tests/host/test_redaction.py"),
    ("an old name", "host/inputs.py", "        inputs = self._renamed(inputs)\n", "", "tests/host/test_renamed_inputs.py"),
    ("an old name's note", "host/inputs.py", "            *old,\n", "", "tests/host/test_renamed_inputs.py"),
    ("a file that comes", "manifests/structuring.py", "*files, ", "", "tests/authoring/test_command_files.py"),
    ("where a command stands", "manifests/source_map.py", "mark.file or self.file", "self.file", "tests/authoring/test_command_files.py"),
    ("what a token is narrowed to", "host/access.py", "if not caller or not caller.bounds.cover(plugin=connection.plugin, connection=connection.name)", "if not caller", "tests/attacks/test_page.py"),
    ("an empty caller", "host/access.py", "if not caller or not caller.bounds", "if not caller.bounds", "tests/host/test_access.py"),
    ("a guarded noun", "model/guarded.py", "if name not in self.hidden:", "if True:", "tests/architecture/test_nouns.py"),
    ("the operator alone", "host/audit.py", "operator_only(self._caller", "(lambda *_: None)(self._caller", "tests/attacks/test_who_acts.py"),
    ("another's run", "host/connections/reading.py", "(Right.USE in granted and own)", "(Right.USE in granted)", "tests/attacks/test_who_acts.py"),
    ("another's records", "host/connections/reading.py", ", site=caller.site)", ")", "tests/attacks/test_who_acts.py"),
    ("another's history", "host/connections/reading.py", "None if Right.ADMINISTER in await granted_to(core, stored, caller) else actor_of(caller)", "None", "tests/attacks/test_who_acts.py"),
    ("an address in disguise", "host/egress.py", "return [address] if inner is None else [address, inner]", "return [address]", "tests/attacks/test_who_acts.py"),
    ("an address inside", "host/egress.py", "or not address.is_global", "", "tests/attacks/test_who_acts.py"),
    ("checked addresses", "http/lean_connecting.py", "return await _plain(origin, bounds, permitted(resolve, permit))", "return await _plain(origin, bounds, resolve)", "tests/attacks/test_who_acts.py"),
    ("leading away", "host/connections/editing.py", "if before != after and kept:", "if False:", "tests/attacks/test_who_acts.py"),
    ("who set a server", "host/connections/editing.py", "return {**kept, **dict.fromkeys(sorted(changed), actor_of(caller))}", "return kept", "tests/attacks/test_who_acts.py"),
    ("the right to a vault", "host/vaults.py", "return by is None or Right.USE in", "return True or Right.USE in", "tests/attacks/test_who_acts.py"),
    ("fields of an export", "host/connections/transfer.py", "context_of(FORMAT, None, document)", "b\"\"", "tests/attacks/test_who_acts.py"),
    ("a row changed", "host/secrets.py", "if not same(sealed.mac, mac_of_connection(data_key, connection)):", "if False:", "tests/attacks/test_stored.py"),
    ("an old generation", "host/secrets.py", "if sealed.version != connection.generation:", "if False:", "tests/attacks/test_stored.py"),
    ("a row without a MAC", "host/protecting.py", "    if _exists(note):\n        return\n", "", "tests/attacks/test_stored.py"),
    ("a retired key", "stores/sqlite_keys.py", "if db.row(\"is_retired\", id=master_key_id) is not None:", "if False:", "tests/attacks/test_stored.py"),
    ("a key in use", "stores/sqlite_keys.py", "[name for name in names if name not in needed]", "list(names)", "tests/attacks/test_stored.py"),
    ("a key that is not random", "crypto/key_rings.py", "if len(set(key)) < FEWEST_BYTES:", "if False:", "tests/attacks/test_stored.py"),
    ("a file taken away", "stores/database.py", "            if _identity(file) != identity:", "            if False:", "tests/attacks/test_stored.py"),
    ("a fork", "stores/database.py", "        if not self.is_ours:\n            raise WrongProcess", "        if False:\n            raise WrongProcess", "tests/attacks/test_stored.py"),
    ("another loop", "stores/database.py", " or _loop() is not self.loop", "", "tests/attacks/test_stored.py"),
    ("a clock that jumped", "stores/sqlite_history.py", "if abs(now - at) < DAY or", "if True or", "tests/attacks/test_stored.py"),
    ("an intent", "host/run.py", "            await self.core.history.begin(self.invocation, inputs)\n", "            pass\n", "tests/e2e/test_killed.py"),
    ("who is alive", "stores/presence.py", "        alive = not lock.acquire(wait=False)\n", "        alive = lock.acquire(wait=False) and False\n", "tests/attacks/test_what_happened.py"),
    ("a key for other inputs", "host/idempotency.py", "if first.digest != mine.digest:", "if False:", "tests/attacks/test_what_happened.py"),
    ("a key of one user", "host/idempotency.py", "who = [actor.kind, actor.id, actor.site, actor.tenant]", "who = [actor.kind]", "tests/attacks/test_what_happened.py"),
    ("an id that was used", "stores/sqlite_idempotency.py", "                raise InvocationExists\n", "                pass\n", "tests/attacks/test_what_happened.py"),
    ("a shared limit", "stores/sqlite_leases.py", "max(0, allowance.requests - used)", "allowance.requests", "tests/attacks/test_what_happened.py"),
    ("a pause of an hour", "http/retry.py", "LONGEST_PAUSE = 0.1, 3600.0", "LONGEST_PAUSE = 0.1, 1e12", "tests/attacks/test_what_happened.py"),
    ("a thread left behind", "model/effects.py", "        self._over = True\n", "        pass\n", "tests/attacks/test_what_happened.py"),
    ("what was settled", "model/effects.py", "                self.note(request, effect)\n\n    def refused", "                pass\n\n    def refused", "tests/attacks/test_what_happened.py"),
    ("a refusal that did nothing", "model/effects.py", "        elif status < _FAILED:\n            self.note(request, before)\n", "", "tests/attacks/test_what_happened.py"),
    ("not tried", "running/fanout.py", "        if effects is None:", "        if False:", "tests/attacks/test_what_happened.py"),
    ("going back further", "running/offset_paging.py", "            self._back *= 2\n", "", "tests/attacks/test_lists_and_intake.py"),
    ("a list that changed", "running/offset_paging.py", "else Stop(_CHANGED)", "else Stop()", "tests/attacks/test_lists_and_intake.py"),
    ("an overlap of times", "host/intake/subscription.py", "since = max(begin, self._at - self._overlap)", "since = self._at", "tests/attacks/test_lists_and_intake.py"),
    ("a record from the future", "host/intake/subscription.py", "self._at = max(self._at, min(datetime.fromisoformat(latest), self._now))", "self._at = max(self._at, datetime.fromisoformat(latest))", "tests/attacks/test_lists_and_intake.py"),
    ("a run cut short", "host/intake/subscription.py", "            if one.status is not Status.PASSED:\n                return result\n", "", "tests/attacks/test_lists_and_intake.py"),
    ("two filters", "host/intake/subscription.py", "return json.dumps([chosen, list(connection.origins)], sort_keys=True)", "return \"\"", "tests/attacks/test_lists_and_intake.py"),
    ("the longest form first", "host/redaction.py", "key=len, reverse=True", "key=len", "tests/host/test_redaction.py"),
    ("handlers", "logs.py", "            handler.addFilter(_FILTER)\n", "            pass\n", "tests/attacks/test_secrets_do_not_come_out.py"),
    ("too deep", "http/json_bounds.py", "if values > DEEPEST and _is_deep(body):", "if False:", "tests/attacks/test_hostile_input.py"),
    ("too many values", "http/json_bounds.py", "if values > MOST_VALUES:", "if False:", "tests/attacks/test_hostile_input.py"),
    ("files of the host", "running/isolated/confinement.py", "        _checked(_system(_RESTRICT_SELF, ruleset, 0))\n", "        pass\n", "tests/attacks/test_isolated.py"),
    ("TCP of a plugin", "running/isolated/confinement.py", "*([_TCP] if version >= 4 else [])", "*([0] if version >= 4 else [])", "tests/attacks/test_isolated.py"),

    ("own history", "host/history_access.py", "if await may_read(core, one, caller)", "if True", "tests/face/test_what_was_found.py"),
    ("feed cursor", "host/intake/feed.py", "if not hmac.compare_digest((await self._sealed(number)).encode(), cursor.encode()):", "if False:", "tests/face/test_intake_feed.py"),
    ("feed site", "host/intake/feed.py", "if own or unplaced or Right.ADMINISTER in granted", "if True", "tests/face/test_intake_feed.py"),
    ("schedule renewed", "host/intake/schedules.py", "if not await self._core.store.schedules.renew(kept, self._me, until):", "if False:", "tests/face/test_what_was_found.py"),
    ("mapping next page", "host/intake/collecting.py", "            self._mapper = await self._current()  # tables", "            pass  # tables", "tests/face/test_mappings.py"),
    ("mapping steps", "host/intake/mappings.py", "if len(steps) > STEPS or steps.count(None) > EACH:", "if False:", "tests/face/test_what_was_found.py"),
    ("events bounded", "host/events.py", "if len(self._waiting) >= KEPT:", "if False:", "tests/face/test_events.py"),
    ("events own", "host/events.py", "event.actor == actor_of(self._caller)", "True", "tests/face/test_events.py"),
    ("undo servers", "host/connections/undoing.py", "if before.origins != now.origins:", "if False:", "tests/face/test_troubles.py"),
    ("undo secrets", "host/connections/undoing.py", "if before.generation != now.generation or before.vault != now.vault:", "if False:", "tests/face/test_troubles.py"),
    ("repair version", "web/page/connections_window.py", 'version=visit.number("version"))', "version=None)", "tests/web/test_page_windows.py"),
    ("again scope", "web/page/connections_window.py", "command is not None and visit.may(scope_of(command))", "command is not None", "tests/web/test_page_windows.py"),
    ("provider nonce", "web/page/openid.py", 'claims.get("nonce") == nonce,', "True,", "tests/web/test_openid.py"),
    ("provider audience", "web/page/openid.py", "self.settings.client_id in audiences,", "True,", "tests/web/test_openid.py"),
    ("provider browser", "web/page/openid.py", "or not secrets.compare_digest(one.browser, browser)", "", "tests/web/test_openid.py"),
    ("provider end", "web/page/openid.py", '_number(claims.get("exp")) > now - CLOCKS,', "True,", "tests/web/test_openid.py"),
    ("uploads of one", "host/uploads.py", 'if len(list(self._folder.glob("*.bin"))) >= MOST:', "if False:", "tests/attacks/test_surfaces.py"),
    ("trace span", "host/connections/wires.py", "{os.urandom(8).hex()}", "{_}", "tests/web/test_serving.py"),
    ("tree budget", "web/page/tree.py", " or budget[0] <= 0", "", "tests/face/test_what_was_found.py"),
    ("busy is not stuck", "host/scheduler.py", "            core.heartbeats[what] = core.clock.monotonic()\n            for claimed", "            for claimed", "tests/face/test_what_was_found.py"),
]  # fmt: skip


def survived(name: str, file: str, old: str, new: str, test: str) -> bool:
    """Break it, run the test, and take the break back."""
    path = ROOT / "connector_host" / file
    text = path.read_text("utf-8")
    assert text.count(old) >= 1, f"{name}: {file} does not hold it any more"
    path.write_text(text.replace(old, new, 1), "utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "--timeout", "60", test]
        return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False  # it hangs, which is noticed
    finally:
        path.write_text(text, "utf-8")


def main() -> int:
    """Run all, or those whose names hold one of the words given."""
    wanted = sys.argv[1:]
    chosen = [row for row in MUTATIONS if not wanted or any(word in row[0] for word in wanted)]
    left = []
    for row in chosen:
        if survived(*row):
            left.append(row[0])
        print(f"{row[0]}: {'SURVIVED' if row[0] in left else 'caught'}", flush=True)
    print(f"{len(chosen)} mutations; survived: {left or 'none'}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
