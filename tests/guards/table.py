"""Every guard: what is changed where to take it away, and the tests that must miss it."""


def asks(name):
    return f'crate::guarded("{name}")'


GUARDS = [
    {
        "name": "settle window",
        "without": "one look decides whether a call took effect",
        "changes": [(
            "src/step/settling.rs",
            "let settled = quiet >= bench.times.settle;",
            f"let settled = quiet >= bench.times.settle || !{asks('settle window')};",
        )],
        "tests": [
            ("it", "crash::an_update_nobody_answered_is_found_while_everything_lags"),
            ("it", "crash::a_fixed_share_of_seeds_breaks_no_rule"),
        ],
    },
    {
        "name": "known operations",
        "without": "an operation from before the call may be taken for ours",
        "changes": [(
            "src/step/settling.rs",
            ".filter(|operation| !observed.known_operations.contains(&operation.id))",
            ".filter(|operation| !observed.known_operations.contains(&operation.id)"
            f" || !{asks('known operations')})",
        )],
        "tests": [("it", "crash::an_update_survives_every_strike")],
    },
    {
        "name": "mark",
        "without": "whatever happened after a call is ours",
        "changes": [(
            "src/step/settling.rs",
            "let marked = service.mark.as_deref() == Some(mark.as_str());",
            f"let marked = service.mark.as_deref() == Some(mark.as_str()) || !{asks('mark')};",
        )],
        "tests": [("it", "crash::the_mark_is_missed_where_somebody_else_came_first")],
    },
    {
        "name": "look before act",
        "without": "a step acts without looking whether it is true already",
        "changes": [(
            "src/step/mod.rs",
            "    if let Some(outcome) = inspect(step, bench).await? {\n",
            f"    if {asks('look before act')}\n"
            "        && let Some(outcome) = inspect(step, bench).await?\n    {\n",
        )],
        "tests": [("it", "crash::an_update_survives_every_strike")],
    },
    {
        "name": "durable first",
        "without": "an intention is not written before the call",
        "changes": [(
            "src/engine.rs",
            "        self.ledger.append(number, &outcome.event, &outcome.values, at)?;\n",
            f"        if {asks('durable first')}"
            " || !matches!(outcome.event, Event::StepStarted { .. }) {\n"
            "            self.ledger.append(number, &outcome.event, &outcome.values, at)?;\n"
            "        }\n",
        )],
        "tests": [("it", "crash::undisturbed_situations_end_as_they_should")],
    },
    {
        "name": "unchanged since capture",
        "without": "an update overwrites what somebody else changed before it",
        "changes": [(
            "src/step/change_service.rs",
            "    if same { Ok(()) } else {",
            f"    if same || !{asks('unchanged since capture')} {{ Ok(()) }} else {{",
        )],
        "tests": [("it", "crash::what_a_stranger_changed_before_our_call_is_not_overwritten")],
    },
    {
        "name": "no newer operation",
        "without": "a release is proven although somebody else deployed after us",
        "changes": [(
            "src/step/verify_release.rs",
            "    (!ours && expected.operation.is_some())",
            f"    ({asks('no newer operation')} && !ours && expected.operation.is_some())",
        )],
        "tests": [("it", "crash::what_a_stranger_changed_before_the_proof_is_not_our_success")],
    },
    {
        "name": "rollback ownership",
        "without": "a rollback takes back what somebody else did since",
        "changes": [(
            "src/step/roll_back.rs",
            "    let evidence = not_ours(bench).await?;\n",
            f"    let evidence = if {asks('rollback ownership')} {{\n"
            "        not_ours(bench).await?\n    } else {\n        Vec::new()\n    };\n",
        )],
        "tests": [("it", "crash::what_a_stranger_changed_after_our_call_is_not_rolled_back")],
    },
    {
        "name": "expected sequence",
        "without": "two writers append behind the same event",
        "changes": [
            (
                file,
                "        Found::Nothing if chain.sequence() == expected_sequence => {}\n"
                if file.endswith("redb.rs")
                else "            Found::Nothing if chain.sequence() == expected_sequence => {}\n",
                "Found::Nothing if chain.sequence() == expected_sequence"
                f" || !{asks('expected sequence')} => {{}}\n",
            )
            for file in ["src/journal/redb.rs", "src/journal/memory.rs"]
        ],
        "tests": [
            ("lib", "journal::redb::tests::it_keeps_the_contract"),
            ("lib", "journal::memory::tests::it_keeps_the_contract"),
        ],
    },
    {
        "name": "hash check",
        "without": "stored events are believed as they are read",
        "changes": [
            (
                "src/journal/chain.rs",
                "if event.hash() != stored_hash {",
                f"if {asks('hash check')} && event.hash() != stored_hash {{",
            ),
            (
                "src/journal/chain.rs",
                "if (self.sequence, self.hash) == (head.sequence, head.hash) {",
                "if (self.sequence, self.hash) == (head.sequence, head.hash)"
                f" || !{asks('hash check')} {{",
            ),
            (
                "src/event/envelope.rs",
                "        if self.previous() != previous {\n",
                f"        if {asks('hash check')} && self.previous() != previous {{\n",
            ),
        ],
        "tests": [("lib", "journal::redb::tests::forgery")],
    },
    {
        "name": "directory fsync",
        "without": "a new name is not made durable",
        "changes": [(
            "src/journal/redb/home.rs",
            "    File::open(directory)?.sync_all()?;\n",
            f"    if !{asks('directory fsync')} {{\n        return Ok(());\n    }}\n"
            "    File::open(directory)?.sync_all()?;\n",
        )],
        "tests": [("lib", "journal::redb::tests::names_are_durable")],
    },
    {
        "name": "lock",
        "without": "two processes deploy one service",
        "changes": [(
            "src/lock.rs",
            "        Err(TryLockError::WouldBlock) => return",
            f"        Err(TryLockError::WouldBlock) if !{asks('lock')} => {{}}\n"
            "        Err(TryLockError::WouldBlock) => return",
        )],
        "tests": [("lib", "lock::tests::the_loser_is_told_who_has_it_and_a_dead_owner_never_blocks")],
    },
]
