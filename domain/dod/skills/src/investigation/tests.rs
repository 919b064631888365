use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::Severity;

use super::*;
use crate::evidence::{Correction, OtherAlert};

mod mutated;
mod poisoned;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A severe disk alert that fired twice within a day, and another alert in its issue.
pub fn evidence() -> Evidence {
    Evidence {
        as_of: now(),
        title: "Disk full on db-7".to_owned(),
        description: None,
        source: "alertmanager".to_owned(),
        alert_type: "HostDiskFull".to_owned(),
        severity: Severity::High,
        labels: BTreeMap::from(
            [
                ("env", "Production"),
                ("used", "96.5%"),
                ("version", "1.10"),
                ("host", "db 7/a?b"),
            ]
            .map(|(k, v)| (k.into(), v.into())),
        ),
        starts_at: Some(now() - TimeDelta::minutes(30)),
        raw: Some(r#"{"values": {"B": 9007199254740993, "C": 0.1}, "state": "alerting", "none": null}"#.to_owned()),
        fired_at: vec![
            now() - TimeDelta::minutes(30),
            now() - TimeDelta::hours(20),
            now() - TimeDelta::hours(30),
        ],
        fired_since: None,
        is_flapping: false,
        others: vec![OtherAlert {
            alert_type: "HostDown".to_owned(),
            title: "Host db-8 is down".to_owned(),
        }],
        others_count: 1,
        corrections: Vec::new(),
    }
}

/// The finding of a check that asks nobody.
fn found(check: &str, evidence: &Evidence) -> Finding {
    let sop = sop::parse(check).unwrap_or_else(|bad| panic!("{check}: {bad:?}"));
    match Run::new(Some(&sop), evidence).next(&[]) {
        Next::Do(step) => evaluate_local(&step, evidence),
        Next::Conclude(conclusion) => panic!("{check}: {conclusion:?}"),
    }
}

/// Follows a procedure to its end; tools answer what `answer` says.
fn followed(run: &Run<'_>, evidence: &Evidence, answer: impl Fn(&Call) -> (u16, String)) -> (Vec<Finding>, Conclusion) {
    let mut findings = Vec::new();
    loop {
        match run.next(&findings) {
            Next::Do(step) => {
                let finding = match &step.action {
                    Action::Local(_) => evaluate_local(&step, evidence),
                    Action::Http(call) => {
                        let (status, body) = answer(call);
                        judge_http(&step, status, body.as_bytes(), false)
                    }
                };
                assert_eq!(finding.step, step.number);
                findings.push(finding);
                assert!(findings.len() <= STEPS_MAX as usize);
            }
            Next::Conclude(conclusion) => {
                assert!(!conclusion.text.trim().is_empty() && conclusion.text.len() <= CONCLUSION_BYTES_MAX);
                return (findings, conclusion);
            }
        }
    }
}

#[test]
fn what_is_so_holds() {
    for check in [
        "check title contains disk",
        "check title matches /^Disk full/",
        "check title matches /DISK FULL/i",
        "check title does not match /^full/",
        "check description is missing",
        "check source is Alertmanager",
        "check type is one of HostDown, HostDiskFull",
        "check severity at least high",
        "check severity is not critical",
        "check severity at most critical",
        "check label env is production",
        "check label env is not one of staging, test",
        "check label used > 96",
        "check label used is at most 96.5",
        "check label absent is missing",
        "check label absent is not x",
        "check value at /values/B is 9007199254740993",
        "check value at /values/B > 9007199254740992",
        "check value at /values/C is 0.10",
        "check label version is 1.10",
        "check value at /state = \"ALERTING\"",
        "check value at /none is missing",
        "check fired exactly 2 times in 24h",
        "check fired more than 2 times in 2 days",
        "check fired less than 2 times in 60m",
        "check firing for more than 10 minutes",
        "check not flapping",
        "check other alerts include HostDown",
        "check other alerts include \"host db-8\"",
        "check other alerts do not include Host d",
        "check more than 1 alerts in this issue",
        "check exactly 2 alerts in this issue",
    ] {
        let finding = found(check, &evidence());
        assert_eq!(finding.outcome, Outcome::Held, "{finding:?}");
        assert!(finding.seen.ends_with('.'), "{finding:?}");
    }
}

#[test]
fn what_is_not_so_fails() {
    for check in [
        "check title contains disc",
        "check label env is prod",
        "check label absent exists",
        "check label absent is x",
        "check label version is 1.1",
        "check label version is one of 1, 1.100",
        "check severity is low",
        "check severity at least critical",
        "check value at /values/B > 9007199254740993",
        "check value at /values/B is 9007199254740992",
        "check fired more than 2 times in 24h",
        "check firing for less than 10m",
        "check flapping",
        "check other alerts include HostDiskFull",
        "check less than 2 alerts in this issue",
        "check last correction is false positive",
    ] {
        let finding = found(check, &evidence());
        assert_eq!(finding.outcome, Outcome::Failed, "{finding:?}");
    }
}

#[test]
fn what_there_is_no_telling_of_is_not_known() {
    let evidence = Evidence {
        starts_at: None,
        raw: None,
        fired_since: Some(now() - TimeDelta::hours(21)),
        others_count: 900,
        ..evidence()
    };
    for check in [
        "check label env > 5",
        "check label absent > 5",
        "check value at /values/B > 5",
        "check firing for more than 10m",
        "check fired more than 2 times in 24h",
        "check fired less than 4 times in 7d",
        "check other alerts include Elsewhere",
        "check other alerts do not include Elsewhere",
        "get metrics /api/{label absent}/x",
    ] {
        let finding = found(check, &evidence);
        assert_eq!(finding.outcome, Outcome::CouldNotKnow, "{finding:?}");
    }
    // What is missing cannot change these.
    assert_eq!(
        found("check fired more than 1 times in 24h", &evidence).outcome,
        Outcome::Held
    );
    assert_eq!(
        found("check fired less than 2 times in 24h", &evidence).outcome,
        Outcome::Failed
    );
    let not_json = Evidence {
        raw: Some("{".to_owned()),
        ..evidence
    };
    assert_eq!(
        found("check value at /a is b", &not_json).outcome,
        Outcome::CouldNotKnow
    );
}

#[test]
fn history_that_is_cut_is_not_taken_for_whole() {
    let many = Evidence {
        fired_at: (0..2_000).map(|n| now() - TimeDelta::seconds(n)).collect(),
        ..evidence()
    }
    .bounded();
    assert_eq!(many.fired_at.len(), crate::evidence::FIRED_AT_MAX);
    assert_eq!(
        found("check fired exactly 1000 times in 1h", &many).outcome,
        Outcome::CouldNotKnow
    );
    assert_eq!(
        found("check fired more than 900 times in 1h", &many).outcome,
        Outcome::Held
    );
}

fn call(written: &str, evidence: &Evidence) -> Step {
    match Run::new(Some(&sop::parse(written).unwrap()), evidence).next(&[]) {
        Next::Do(step) => step,
        Next::Conclude(_) => panic!("{written}"),
    }
}

#[test]
fn an_answer_is_held_against_what_was_expected() {
    let body = r#"{"status": "success", "data": {"n": 3}}"#;
    for (expected, status, body, is_cut, outcome) in [
        ("", 200, "", false, Outcome::Held),
        ("", 404, "", false, Outcome::CouldNotKnow),
        ("expect status 200 or 404", 404, "", false, Outcome::Held),
        ("expect status 2xx", 500, "", false, Outcome::Failed),
        (
            "expect json /status is success and expect json /data/n > 2",
            200,
            body,
            false,
            Outcome::Held,
        ),
        (
            "expect json /status is success and json /data/n > 3",
            200,
            body,
            false,
            Outcome::Failed,
        ),
        (
            "expect json /status is success",
            503,
            body,
            false,
            Outcome::CouldNotKnow,
        ),
        (
            "expect json /status is success",
            200,
            "<html>",
            false,
            Outcome::CouldNotKnow,
        ),
        ("expect json /data/none exists", 200, body, false, Outcome::Failed),
        ("expect body contains \"SUCCESS\"", 200, body, false, Outcome::Held),
        ("expect body does not contain success", 200, body, true, Outcome::Failed),
        (
            "expect body does not contain other",
            200,
            body,
            true,
            Outcome::CouldNotKnow,
        ),
        ("expect body contains other", 200, body, true, Outcome::CouldNotKnow),
        ("expect body contains other", 200, body, false, Outcome::Failed),
        ("expect body does not match /other/", 200, body, false, Outcome::Held),
        (
            "expect status 200 and body matches /succ\\/?ess/",
            200,
            body,
            false,
            Outcome::Held,
        ),
        ("expect json /a is b", 200, &body[..9], true, Outcome::CouldNotKnow),
    ] {
        let step = call(&format!("get metrics /api {expected}"), &evidence());
        let finding = judge_http(&step, status, body.as_bytes(), is_cut);
        assert_eq!(finding.outcome, outcome, "{expected}: {finding:?}");
        assert!(finding.seen.contains(&status.to_string()), "{finding:?}");
    }
    assert_eq!(
        no_answer(&call("get a /b", &evidence()), "It took too long.").outcome,
        Outcome::CouldNotKnow
    );
}

#[test]
fn a_part_of_the_alert_in_a_path_leads_nowhere_else() {
    let path = |evidence: &Evidence| match call("get m /q/{label host}?t={title}", evidence).action {
        Action::Http(call) => Ok(call.path),
        Action::Local(Local::NotAsked(reason)) => Err(reason),
        Action::Local(Local::Check(_)) => panic!(),
    };
    assert_eq!(
        path(&evidence()).unwrap(),
        "/q/db%207%2Fa%3Fb?t=Disk%20full%20on%20db-7"
    );
    for hostile in [
        "..",
        ".",
        "../../admin",
        "%2e%2e",
        "//evil.example",
        "a\r\nHost: evil",
        "@evil.example/",
        "x#y",
        "\\\\evil",
        "&admin=1",
    ] {
        let mut evidence = evidence();
        evidence.labels.insert("host".to_owned(), hostile.to_owned());
        match path(&evidence) {
            Ok(path) => {
                let inner = path
                    .strip_prefix("/q/")
                    .and_then(|path| path.strip_suffix("?t=Disk%20full%20on%20db-7"))
                    .unwrap();
                assert!(
                    inner
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"%-._~".contains(&b))
                        && inner != "..",
                    "{inner}"
                );
            }
            Err(reason) => assert!(reason.starts_with("The tool was not asked"), "{reason}"),
        }
    }
    let mut evidence = evidence();
    evidence.labels.insert("host".to_owned(), "..".to_owned());
    assert!(path(&evidence).is_err());
}

const SOP: &str = "# Disks\n\nLook at the disk first.\n\n1. check label used > 90\n   - if it fails conclude false positive: There is room.\n\
                   2. get metrics /disk?host={label host} expect json /full is true\n3. check other alerts include HostDown\n\n\
                   - if step 1 holds and step 2 holds conclude real issue: Free space, see the wiki.\n\
                   - if step 2 is unknown conclude unknown: Look at the disk by hand.\n";

#[test]
fn a_procedure_is_followed_to_its_conclusion() {
    let sop = sop::parse(SOP).unwrap();
    let evidence = evidence();
    let run = Run::new(Some(&sop), &evidence);
    let (findings, conclusion) = followed(&run, &evidence, |_| (200, r#"{"full": true}"#.to_owned()));
    assert_eq!(findings.len(), 3);
    assert_eq!(conclusion.is_real_issue, Some(true));
    assert_eq!(conclusion.evidence, [1, 2]);
    assert_eq!(
        conclusion.text,
        "Real issue: Free space, see the wiki.\n\nChecked:\n\
         1. check label used > 90: holds. The label \"used\" is \"96.5%\".\n\
         2. get metrics /disk?host={label host} expect json /full is true: holds. The tool answered 200; \"/full\" of its JSON is \"true\".\n\
         3. check other alerts include HostDown: holds. Its issue has \"HostDown\", \"Host db-8 is down\"."
    );

    let (_, conclusion) = followed(&run, &evidence, |_| (500, String::new()));
    assert_eq!(conclusion.is_real_issue, None);
    assert_eq!(conclusion.unknown, ["Step 2: The tool answered 500."]);
    let Next::Do(first) = run.next(&[]) else { panic!() };
    assert_eq!(first.notes, "# Disks\nLook at the disk first.\n");
}

#[test]
fn an_investigation_goes_on_where_it_was() {
    let sop = sop::parse(SOP).unwrap();
    let evidence = evidence();
    let (findings, conclusion) = followed(&Run::new(Some(&sop), &evidence), &evidence, |_| {
        (200, r#"{"full": true}"#.to_owned())
    });
    for known in 0..=findings.len() {
        let kept = serde_json::to_string(&findings[..known]).unwrap();
        let kept: Vec<Finding> = serde_json::from_str(&kept).unwrap();
        match Run::new(Some(&sop), &evidence).next(&kept) {
            Next::Do(step) => assert_eq!(step.number as usize, known + 1),
            Next::Conclude(again) => assert_eq!((known, &again), (findings.len(), &conclusion)),
        }
    }
}

#[test]
fn steps_are_bounded_and_what_was_not_done_is_said() {
    let sop = sop::parse(SOP).unwrap();
    let evidence = evidence();
    let (findings, conclusion) = followed(&Run::new(Some(&sop), &evidence).within(1), &evidence, |_| {
        (200, String::new())
    });
    assert_eq!(findings.len(), 1);
    assert_eq!(conclusion.is_real_issue, None);
    assert_eq!(conclusion.unknown.len(), 2);
    assert!(
        conclusion.text.contains("It had done the 1 steps that it may do."),
        "{}",
        conclusion.text
    );
    let stopped = Run::new(Some(&sop), &evidence).stopped(&[], "Its time of 60 seconds is over.");
    assert!(
        stopped.text.contains("Nothing was checked.") && stopped.unknown.len() == 3,
        "{}",
        stopped.text
    );
}

#[test]
fn without_a_skill_what_is_known_of_every_alert_is_looked_at() {
    let run = |evidence: &Evidence| followed(&Run::new(None, evidence), evidence, |_| panic!("nobody is asked")).1;
    assert_eq!(run(&evidence()).is_real_issue, Some(true));
    assert!(run(&evidence()).text.contains("No skill was found"));
    let alone = Evidence {
        others: Vec::new(),
        others_count: 0,
        ..evidence()
    };
    assert_eq!(run(&alone).is_real_issue, None);

    let correction = Correction {
        at: now(),
        by: "Ada".into(),
        is_real_issue: Some(false),
        text: "The batch job does that.".into(),
    };
    let known = Evidence {
        corrections: vec![correction],
        ..evidence()
    };
    let conclusion = run(&known);
    assert_eq!(conclusion.is_real_issue, None);
    assert!(conclusion.text.contains("\"Ada\" called an alert of this type a false positive on 2027-01-15 08:00 UTC: \"The batch job does that.\""), "{}", conclusion.text);
    let small = Evidence {
        severity: Severity::Low,
        is_flapping: true,
        others: Vec::new(),
        others_count: 0,
        ..known
    };
    assert_eq!(run(&small).is_real_issue, Some(false));

    let prose = sop::parse("Restart it and go back to bed.").unwrap();
    let evidence = evidence();
    let (_, conclusion) = followed(&Run::new(Some(&prose), &evidence), &evidence, |_| panic!());
    assert!(
        conclusion
            .text
            .contains("has no steps that can be followed without a person"),
        "{}",
        conclusion.text
    );
}

#[test]
fn a_conclusion_of_many_long_findings_keeps_all_its_parts() {
    let sop: String = (1..=50)
        .map(|_| format!("check title contains {}\n", "x".repeat(400)))
        .collect();
    let sop = sop::parse(&(sop + "conclude unknown: Done.")).unwrap();
    let title = "ä".repeat(500);
    let correction = Correction {
        at: now(),
        by: title.clone(),
        is_real_issue: None,
        text: title.clone(),
    };
    let evidence = Evidence {
        title,
        corrections: vec![correction; 9],
        ..evidence()
    };
    let (findings, conclusion) = followed(&Run::new(Some(&sop), &evidence), &evidence, |_| panic!());
    assert_eq!(findings.len(), 50);
    assert!(
        findings
            .iter()
            .all(|f| f.seen.chars().count() <= SEEN_CHARS_MAX && f.check.chars().count() <= CHECK_CHARS_MAX)
    );
    assert!(
        conclusion.text.contains("\n50. check") && conclusion.text.contains("Said by persons before:"),
        "{}",
        conclusion.text
    );
}
