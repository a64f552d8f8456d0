"""Every guard: what is changed where to take it away, and the tests that must miss it."""


def asks(name):
    return f'crate::guarded("{name}")'


GUARDS = [
    {
        "name": "settle window",
        "without": "one look decides whether a call took effect",
        "changes": [(
            "src/step/settling.rs",
            "let settled = quiet.is_over();",
            f"let settled = quiet.is_over() || !{asks('settle window')};",
        )],
        "tests": [
            ("it", "crash::an_update_nobody_answered_is_found_while_everything_lags"),
            ("it", "crash::seeds::a_fixed_share_of_seeds_breaks_no_rule"),
        ],
    },
    {
        "name": "known operations",
        "without": "an operation from before the call may be taken for ours",
        "changes": [(
            "src/step/settling.rs",
            "listed.into_iter().filter(|operation| !known(operation)).collect()",
            "listed.into_iter().filter(|operation| !known(operation)"
            f" || !{asks('known operations')}).collect()",
        )],
        "tests": [("it", "crash::an_update_survives_every_strike")],
    },
    {
        "name": "mark",
        "without": "whatever happened after a call is ours",
        "changes": [(
            "src/step/settling.rs",
            "let (observed, marked) = (call.observed, carries(service, call.mark));",
            f"let (observed, marked) = (call.observed, carries(service, call.mark) || !{asks('mark')});",
        )],
        "tests": [("it", "crash::the_mark_is_missed_where_somebody_else_came_first")],
    },
    {
        "name": "absence",
        "without": "a service that is gone means that the call never arrived",
        "changes": [(
            "src/step/settling.rs",
            "        Some(_) => Sight::Destroyed(vec![",
            f"        Some(_) if !{asks('absence')} => Sight::Nothing,\n"
            "        Some(_) => Sight::Destroyed(vec![",
        )],
        "tests": [("it", "crash::endings::every_plight_ends_in_its_true_verdict_at_every_instant")],
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
            "src/step/proving.rs",
            "    (!ours && expected.operation.is_some())",
            f"    ({asks('no newer operation')} && !ours && expected.operation.is_some())",
        ), (
            # The same look, once more behind the health gate and before each courtesy.
            "src/step/strangers.rs",
            "    let evidence = match (service, &done.issued, &done.already_live) {\n",
            "    let evidence = match (service, &done.issued, &done.already_live) {\n"
            f"        _ if !{asks('no newer operation')} => Ok(Vec::new()),\n",
        )],
        "tests": [("it", "crash::what_a_stranger_changed_before_the_proof_is_not_our_success")],
    },
    {
        "name": "rollback ownership",
        "without": "a rollback takes back what somebody else did since",
        "changes": [(
            "src/step/roll_back.rs",
            "        Some(issue) => theirs(bench, issue, service).await,\n",
            f"        Some(_) if !{asks('rollback ownership')} => Ok(Vec::new()),\n"
            "        Some(issue) => theirs(bench, issue, service).await,\n",
        ), (
            "src/step/roll_back.rs",
            "    if evidence.is_empty() { Ok(service) }",
            f"    if evidence.is_empty() || !({asks('rollback ownership')} && {asks('last look')}) {{ Ok(service) }}",
        )],
        "tests": [("it", "crash::what_a_stranger_changed_after_our_call_is_not_rolled_back")],
    },
    {
        "name": "last look",
        "without": "a machine that slept between its look and its rollback goes by what it saw",
        "changes": [],
        "tests": [(
            "it",
            "crash::what_a_stranger_changed_while_the_machine_slept_is_neither_undone_nor_our_success",
        )],
    },
    {
        "name": "look again",
        "without": "what AWS refused is asked for in another form, whatever happened since",
        "changes": [(
            "src/step/issuing.rs",
            "        look().await?;\n",
            f"        if {asks('look again')} {{\n            look().await?;\n        }}\n",
        )],
        "tests": [("it", "crash::what_a_stranger_changed_while_the_machine_slept_is_neither_undone_nor_our_success")],
    },
    {
        "name": "expected sequence",
        "without": "two writers append behind the same event",
        "changes": [
            (
                "src/journal/chain.rs",
                "            Found::Nothing if self.sequence == expected => {}\n",
                "            Found::Nothing if self.sequence == expected"
                f" || !{asks('expected sequence')} => {{}}\n",
            )
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
            "    sync(&File::open(directory)?, directory)\n",
            f"    if !{asks('directory fsync')} {{\n        return Ok(());\n    }}\n"
            "    sync(&File::open(directory)?, directory)\n",
        )],
        "tests": [("lib", "journal::redb::tests::names_are_durable")],
    },
    {
        "name": "file fsync",
        "without": "a file gets its name before what is in it is durable",
        "changes": [
            (
                "src/journal/redb/home.rs",
                f"        sync(&file, &self.unfinished({name}))?;\n",
                f"        if {asks('file fsync')} {{\n"
                f"            sync(&file, &self.unfinished({name}))?;\n        }}\n",
            )
            for name in ["name", "DATABASE"]
        ],
        "tests": [("lib", "journal::redb::tests::names_are_durable::a_power_cut")],
    },
    {
        "name": "fsync itself",
        "without": "what is called durable was never asked of the disk",
        "changes": [(
            "src/journal/redb/home.rs",
            "    file.sync_all()?;\n    #[cfg(test)]\n",
            f"    if {asks('fsync itself')} {{\n        file.sync_all()?;\n    }}\n    #[cfg(test)]\n",
        )],
        "tests": [("lib", "journal::redb::tests::names_are_durable::what_is_called_durable")],
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
    {
        "name": "bad release",
        "without": "an image that was found bad is deployed again",
        "changes": [(
            "src/step/mod.rs",
            "    let bad = plan.bad.iter().find(|bad| bad.is(release, &plan.health));\n",
            "    let bad = plan.bad.iter().find(|bad| bad.is(release, &plan.health));\n"
            f"    let bad = bad.filter(|_| {asks('bad release')});\n",
        ), (
            "src/step/mod.rs",
            "    let bad = plan.bad.iter().find(is_it);\n",
            f"    let bad = plan.bad.iter().find(is_it).filter(|_| {asks('bad release')});\n",
        )],
        "tests": [
            ("it", "command::judged::a_release_that_failed_and_was_rolled_back_is_refused_before_the_service_is_touched"),
            ("it", "command::journal::what_ran_before_the_journal_began_can_be_judged"),
        ],
    },
    {
        "name": "older commit",
        "without": "a commit that the live one descends from is deployed",
        "changes": [(
            "src/command/deploy/refusal.rs",
            "    if older.await != Some(true) {\n",
            f"    if older.await != Some(true) || !{asks('older commit')} {{\n",
        )],
        "tests": [("it", "command::exit_codes::twenty_six_an_older_commit_than_the_one_that_is_live")],
    },
    {
        "name": "waiting",
        "without": "`--lock-wait` does not wait",
        "changes": [(
            "src/command/holding.rs",
            "Err(LockError::Held(owner)) if waited < patience => owner,",
            f"Err(LockError::Held(owner)) if waited < patience && {asks('waiting')} => owner,",
        )],
        "tests": [("it", "command::waiting::the_next_waits_says_for_whom_and_goes_on_with_fresh_eyes")],
    },
    {
        "name": "look under the lock",
        "without": "a deployment goes on with what it saw before it had the lock",
        "changes": [
            (
                "src/command/deploy/mod.rs",
                "    let lock = hold(arguments, setup, &stream).await?;\n",
                f"    let early = if {asks('look under the lock')} {{\n        None\n    }} else {{\n"
                "        Some(setup.look_as(&world, caller.clone(), &asked).await)\n    };\n"
                "    let lock = hold(arguments, setup, &stream).await?;\n",
            ),
            (
                "src/command/deploy/mod.rs",
                "    let inventory = setup.look_as(&world, caller, &asked).await.map_err(before)?;\n",
                "    let inventory = match early {\n        Some(seen) => seen,\n"
                "        None => setup.look_as(&world, caller, &asked).await,\n    };\n"
                "    let inventory = inventory.map_err(before)?;\n",
            ),
        ],
        "tests": [("it", "command::waiting::what_was_seen_before_the_wait_is_looked_at_again")],
    },
    {
        "name": "redaction",
        "without": "a line of the application's log is kept with the values in it",
        "changes": [(
            "src/redaction.rs",
            "        let mut clean = text.to_owned();\n",
            f"        if !{asks('redaction')} {{\n            return text.to_owned();\n        }}\n"
            "        let mut clean = text.to_owned();\n",
        )],
        "tests": [
            ("it", "crash::endings::a_value_in_the_application_log_is_not_kept"),
        ],
    },
    {
        "name": "missing image, by hand",
        "without": "`rollback` begins although ECR no longer holds the image",
        "changes": [(
            "src/command/rollback.rs",
            "    if found.is_some() {\n        return Ok(());\n    }\n"
            "    let what = format!(\"ECR no longer",
            f"    if found.is_some() || !{asks('missing image, by hand')} {{\n        return Ok(());\n    }}\n"
            "    let what = format!(\"ECR no longer",
        )],
        "tests": [("it", "command::turned::a_rollback_whose_image_is_gone_is_refused_before_aws_is_touched")],
    },
    {
        "name": "missing image, by itself",
        "without": "the way back is asked for although ECR no longer holds the image",
        "changes": [(
            "src/step/roll_back.rs",
            "    if gone { Err(image_gone(",
            f"    if gone && {asks('missing image, by itself')} {{ Err(image_gone(",
        )],
        "tests": [("it", "crash::endings::every_plight_ends_in_its_true_verdict_at_every_instant")],
    },
    {
        "name": "ours while it answered",
        "without": "the health of whatever somebody else deployed meanwhile is taken for ours",
        "changes": [(
            "src/step/check_health.rs",
            "    if !evidence.is_empty() {\n",
            f"    if !evidence.is_empty() && {asks('ours while it answered')} {{\n",
        )],
        "tests": [("it", "crash::endings::every_plight_ends_in_its_true_verdict_at_every_instant")],
    },
    {
        "name": "tag still names",
        "without": "a tag that moved proves a release",
        "changes": [(
            "src/step/issuing.rs",
            "    if !is_tag(image) {\n        return Ok(true);\n",
            f"    if !is_tag(image) || !{asks('tag still names')} {{\n        return Ok(true);\n",
        )],
        "tests": [("it", "crash::endings::every_plight_ends_in_its_true_verdict_at_every_instant")],
    },
    {
        "name": "refused look",
        "without": "who may no longer look takes the release for refused",
        "changes": [(
            "src/step/mod.rs",
            "if code.contains(\"AccessDenied\") => {",
            f"if code.contains(\"AccessDenied\") && {asks('refused look')} => {{",
        )],
        "tests": [("it", "crash::endings::a_refused_look_after_the_change_concludes_nothing")],
    },
    {
        "name": "keep what is needed",
        "without": "prune deletes what `rollback` offers",
        "changes": [(
            "src/projection/keep/rules.rs",
            "    let keep = usize::try_from(keep).unwrap_or(usize::MAX);\n",
            "    let keep = usize::try_from(keep).unwrap_or(usize::MAX);\n"
            f"    let keep = if {asks('keep what is needed')} {{ keep }} else {{ 0 }};\n",
        )],
        "tests": [
            ("lib", "projection::keep::property::nothing_that_is_needed_goes"),
        ],
    },
    {
        "name": "whole picture",
        "without": "prune deletes although it does not know what is needed",
        "changes": [
            (
                "src/command/prune/mod.rs",
                "    if !missing.is_empty() {\n",
                f"    if !missing.is_empty() && {asks('whole picture')} {{\n",
            ),
            (
                "src/prune/deletion.rs",
                "    if !missing.is_empty() {\n",
                f"    if !missing.is_empty() && {asks('whole picture')} {{\n",
            ),
        ],
        "tests": [("it", "command::pruning::nothing_is_deleted_while_the_picture_is_incomplete")],
    },
    {
        "name": "look before deleting",
        "without": "prune deletes what it decided on, whatever has happened since",
        "changes": [(
            "src/prune/deletion.rs",
            "        Ok(Some(picture)) => picture,\n",
            f"        Ok(Some(_)) if !{asks('look before deleting')} => seen.clone(),\n"
            "        Ok(Some(picture)) => picture,\n",
        )],
        "tests": [("it", "command::pruning::what_happens_between_the_looks_is_seen")],
    },
    {
        "name": "request for the way back",
        "without": "who wants the way back gets a deployment where none had begun",
        "changes": [
            (
                "src/step/change_service.rs",
                "        Answer::DidNot if bench.deployment.backwards =>",
                f"        Answer::DidNot if bench.deployment.backwards && {asks('request for the way back')} =>",
            ),
        ],
        "tests": [("it", "crash::guards::taken_back_on_request_nothing_is_asked_for")],
    },
    {
        "name": "ours on the way back",
        "without": "the health of whatever somebody else deployed meanwhile is taken for the old release's",
        "changes": [
            (
                "src/step/verify_rollback.rs",
                "    if let Some(evidence) = overtaken_since(bench, &expected).await? {\n",
                f"    if let Some(evidence) = overtaken_since(bench, &expected).await?.filter(|_| {asks('ours on the way back')}) {{\n",
            ),
        ],
        "tests": [("it", "crash::guards::a_stranger_while_the_way_back_is_asked_for_its_health_is_noticed")],
    },
    {
        "name": "ours where nothing changed",
        "without": "the health of whatever somebody else deployed meanwhile is taken for what was live already",
        "changes": [
            (
                "src/step/strangers.rs",
                "    if service.release().as_ref() != Some(live) {",
                f"    if {asks('ours where nothing changed')} && service.release().as_ref() != Some(live) {{",
            ),
        ],
        "tests": [("it", "crash::guards::a_stranger_while_what_is_live_already_is_asked_for_its_health_is_noticed")],
    },
    {
        "name": "busy after doubt",
        "without": "a service that is busy after an unclear call has refused the release",
        "changes": [
            (
                "src/step/change_service.rs",
                "        Err(busy) if is_busy(&busy) && bench.in_doubt => {",
                f"        Err(busy) if {asks('busy after doubt')} && is_busy(&busy) && bench.in_doubt => {{",
            ),
        ],
        "tests": [("it", "crash::guards::a_busy_service_after_an_unclear_call_means_go_and_look")],
    },
    {
        "name": "journalled operations",
        "without": "an operation of ours that the list hid may be taken for that of the next call",
        "changes": [
            (
                "src/step/mod.rs",
                "    for id in bench.journalled_operations.iter().rev().take(REMEMBERED_OPERATIONS) {\n",
                f"    let remembered = if {asks('journalled operations')} {{ REMEMBERED_OPERATIONS }} else {{ 0 }};\n    for id in bench.journalled_operations.iter().rev().take(remembered) {{\n",
            ),
        ],
        "tests": [("it", "crash::guards::an_operation_that_only_our_journal_knows_is_no_candidate")],
    },
    {
        "name": "look again, the change",
        "without": "what AWS refused is asked for in another form without looking whether somebody changed the service",
        "changes": [
            (
                "src/step/change_service.rs",
                "    let look = async || last_look(bench).await.map(drop);\n",
                f"    let look = async || if {asks('look again, the change')} {{ last_look(bench).await.map(drop) }} else {{ Ok(()) }};\n",
            ),
        ],
        "tests": [("it", "crash::guards::a_stranger_between_two_forms_of_a_change_is_noticed")],
    },
    {
        "name": "look again, the flag",
        "without": "the same where auto-deployments are given back",
        "changes": [
            (
                "src/step/restore_auto_deployments.rs",
                "    let look = async || last_look(bench).await.map(drop);\n",
                f"    let look = async || if {asks('look again, the flag')} {{ last_look(bench).await.map(drop) }} else {{ Ok(()) }};\n",
            ),
        ],
        "tests": [("it", "crash::guards::a_stranger_between_two_forms_of_giving_the_flag_back_is_noticed")],
    },
    {
        "name": "given back before",
        "without": "the way back begins while our own second update may be under way",
        "changes": [
            (
                "src/event/deployment.rs",
                "            Some(_) if self.in_doubt_about(Step::RestoreAutoDeployments) => {",
                f"            Some(_) if {asks('given back before')} && self.in_doubt_about(Step::RestoreAutoDeployments) => {{",
            ),
        ],
        "tests": [("it", "crash::guards::taken_back_on_request_while_the_flag_is_given_back_nobody_else_is_blamed")],
    },
    {
        "name": "time for the list",
        "without": "a call that arrived late is over although no list can show its operation yet",
        "changes": [
            (
                "src/step/settling.rs",
                "            (Sight::Ours(None), _) if !arrival.awaited => {",
                f"            (Sight::Ours(None), _) if {asks('time for the list')} && !arrival.awaited => {{",
            ),
        ],
        "tests": [("it", "crash::guards::the_list_is_given_its_time_once_a_late_call_has_arrived")],
    },
    {
        "name": "before the mark",
        "without": "what was listed before the service carried our mark is taken for what brought it",
        "changes": [
            (
                "src/step/settling.rs",
                "            Sight::Ours(Some(id)) if marked && self.before.contains(&id) && !is_decided => {",
                f"            Sight::Ours(Some(id)) if {asks('before the mark')} && marked && self.before.contains(&id) && !is_decided => {{",
            ),
        ],
        "tests": [("lib", "step::settling::tests::what_was_listed_before_our_mark_is_ours_only_once_nothing_else_can_be")],
    },
    {
        "name": "behind what has ended",
        "without": "our mark on a service at work is that of an operation that has ended",
        "changes": [
            (
                "src/step/settling.rs",
                "        [one] if marked && at_work && one.status.is_terminal() => Sight::Undecided,",
                f"        [one] if {asks('behind what has ended')} && marked && at_work && one.status.is_terminal() => Sight::Undecided,",
            ),
        ],
        "tests": [("lib", "step::settling::tests::behind_an_operation_that_has_ended_ours_may_be_at_work")],
    },
    {
        "name": "nothing else explains it",
        "without": "an update that App Runner gave up is ours, whatever became of the service",
        "changes": [
            (
                "src/step/settling.rs",
                "        [one] if taken_back(one) && unchanged(service, observed) => {",
                f"        [one] if taken_back(one) && (unchanged(service, observed) || !{asks('nothing else explains it')}) => {{",
            ),
        ],
        "tests": [
            ("it", "crash::guards::somebody_elses_broken_update_is_not_taken_for_ours"),
            ("lib", "step::settling::tests::one_change_that_was_taken_back_is_ours_only_on_an_unchanged_service"),
        ],
    },
    {
        "name": "kind of operation",
        "without": "whatever App Runner gave up is ours, be it an update or not",
        "changes": [
            (
                "src/step/settling.rs",
                "    failed && changes(operation)\n",
                f"    failed && (changes(operation) || !{asks('kind of operation')})\n",
            ),
        ],
        "tests": [("it", "crash::guards::somebody_elses_failed_restart_is_not_taken_for_ours")],
    },
    {
        "name": "taken back before we looked",
        "without": "an update that App Runner took back before anybody looked is nobody's",
        "changes": [
            (
                "src/step/settling.rs",
                "    let failed = matches!(\n        operation.status,",
                f"    let failed = {asks('taken back before we looked')} && matches!(\n        operation.status,",
            ),
        ],
        "tests": [("it", "crash::guards::an_update_that_app_runner_took_back_before_anybody_looked_is_ours")],
    },
    {
        "name": "in a row",
        "without": "good answers of the gate count, however many bad ones lie between them",
        "changes": [
            (
                "src/step/asking.rs",
                "            in_a_row = 0;\n",
                f"            in_a_row = if {asks('in a row')} {{ 0 }} else {{ in_a_row }};\n",
            ),
        ],
        "tests": [("it", "crash::guards::good_answers_count_in_a_row_only")],
    },
    {
        "name": "mark of the proof",
        "without": "the same release under another mark is proven to be ours",
        "changes": [
            (
                "src/step/proving.rs",
                "    if !is_ours {",
                f"    if !is_ours && {asks('mark of the proof')} {{",
            ),
        ],
        "tests": [("lib", "step::proving::tests::the_same_release_under_another_mark_is_not_proven")],
    },
    {
        "name": "whole release",
        "without": "a way back that leaves a part of the configuration behind is called one",
        "changes": [
            (
                "src/step/verify_rollback.rs",
                "        whole: true,\n",
                f"        whole: {asks('whole release')},\n",
            ),
        ],
        "tests": [("it", "crash::guards::a_way_back_that_leaves_something_behind_is_not_called_one")],
    },
    {
        "name": "unclear answers",
        "without": "a call that is never answered is repeated for ever",
        "changes": [
            (
                "src/engine.rs",
                "    if *unclear < UNCLEAR_ANSWERS {",
                f"    if *unclear < UNCLEAR_ANSWERS || !{asks('unclear answers')} {{",
            ),
        ],
        "tests": [("it", "crash::guards::a_call_that_is_never_answered_is_not_repeated_for_ever")],
    },
    {
        "name": "lock of resume",
        "without": "`resume` lets go of the lock before it goes on",
        "changes": [
            (
                "src/command/resume.rs",
                "    let ended = run::go_on(",
                f"    let lock = {asks('lock of resume')}.then_some(lock);\n    let ended = run::go_on(",
            ),
        ],
        "tests": [("it", "command::held::resume_holds_the_lock_until_the_end")],
    },
    {
        "name": "lock of rollback",
        "without": "`rollback` lets go of the lock before it begins",
        "changes": [
            (
                "src/command/rollback.rs",
                "    let ended = run::begin(",
                f"    let lock = lock.filter(|_| {asks('lock of rollback')});\n    let ended = run::begin(",
            ),
        ],
        "tests": [("it", "command::held::rollback_holds_the_lock_until_the_end")],
    },
    {
        "name": "one world",
        "without": "a deployment in the sandbox is resumed in AWS, or the other way round",
        "changes": [
            (
                "src/command/resume.rs",
                "    guard::refuse_mixed_worlds(&ledger, setup)?;\n",
                f"    if {asks('one world')} {{\n        guard::refuse_mixed_worlds(&ledger, setup)?;\n    }}\n",
            ),
        ],
        "tests": [("it", "command::held::a_deployment_of_another_world_is_not_resumed_in_this_one")],
    },
    {
        "name": "layout of the file",
        "without": "pages are looked for where a damaged header says",
        "changes": [
            (
                "src/journal/redb/sealed.rs",
                "flags_are_wrong(bytes) || geometry_is_wrong(bytes, pages)",
                "flags_are_wrong(bytes)"
                f" || geometry_is_wrong(bytes, pages) && {asks('layout of the file')}",
            ),
        ],
        "tests": [(
            "lib",
            "journal::redb::tests::damage::a_wrong_layout_in_the_header_of_a_larger_journal_is_refused",
        )],
    },
    {
        "name": "whole import",
        "without": "an import that dies leaves half a history",
        "changes": [
            (
                "src/journal/redb.rs",
                "                append_stored(transaction, stream, expected_sequence, events)\n            })",
                f"                if !{asks('whole import')} {{\n"
                "                    return self.append_stored(stream, expected_sequence, events);\n"
                "                }\n"
                "                append_stored(transaction, stream, expected_sequence, events)\n            })",
            ),
        ],
        "tests": [(
            "lib",
            "journal::redb::tests::full_disk::an_import_on_a_disk_that_is_full_from_any_operation_on_brings_all_or_nothing",
        )],
    },
    {
        "name": "record of a repair",
        "without": "a repair takes its place before it is written down",
        "changes": [
            (
                "src/journal/redb/repair.rs",
                "    record(Arc::new(RedbJournal { storage, id }), repair)?;\n",
                f"    if !{asks('record of a repair')} {{\n"
                "        drop(storage);\n"
                "        put_in_place(directory, unfinished, id, repair.moved_to.as_deref())?;\n"
                "        return Ok(record(Arc::new(RedbJournal::open(directory)?), repair)?);\n"
                "    }\n"
                "    record(Arc::new(RedbJournal { storage, id }), repair)?;\n",
            ),
        ],
        "tests": [(
            "lib",
            "journal::redb::tests::repair::a_repair_that_cannot_be_recorded_moves_nothing",
        )],
    },
    {
        "name": "behind its export",
        "without": "a journal that is older than its own export is believed",
        "changes": [
            (
                "src/journal/archive.rs",
                "    if end.sequence <= ours {",
                f"    if end.sequence <= ours || !{asks('behind its export')} {{",
            ),
        ],
        "tests": [(
            "it",
            "command::brought_back::a_journal_that_is_older_than_its_own_export_is_not_believed",
        )],
    },
    {
        "name": "bad commit",
        "without": "another build of a commit that was found bad is deployed",
        "changes": [
            (
                "src/command/deploy/refusal.rs",
                "Some(TargetOrigin::Build { .. }) => refuse_bad_commit(plan),",
                f"Some(TargetOrigin::Build {{ .. }}) if {asks('bad commit')} => refuse_bad_commit(plan),",
            ),
            (
                "src/command/deploy/refusal.rs",
                "        None => Ok(()),\n    };\n    if let (Err(failure)",
                "        _ => Ok(()),\n    };\n    if let (Err(failure)",
            ),
        ],
        "tests": [(
            "it",
            "command::judged::another_build_of_a_commit_that_was_marked_bad_is_refused_before_it_is_built",
        )],
    },
]
