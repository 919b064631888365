use super::*;

fn read(markdown: &str) -> Sop {
    parse(markdown).unwrap_or_else(|bad| panic!("{markdown}: {bad:?}"))
}

fn refused(markdown: &str) -> Vec<(u32, String)> {
    parse(markdown)
        .unwrap_err()
        .into_iter()
        .map(|bad| (bad.line, bad.reason))
        .collect()
}

fn reason(line: &str) -> String {
    let all = refused(line);
    assert_eq!(all.len(), 1, "{line}: {all:?}");
    all[0].1.clone()
}

#[test]
fn instructions_are_found_behind_every_mark_of_a_list() {
    let sop = read(
        "1. check flapping\n2) `check flapping`\n- [ ] check flapping\n  * Check Flapping\n+ CHECK flapping\ncheck flapping",
    );
    let numbers: Vec<_> = sop
        .instructions
        .iter()
        .map(|i| match &i.what {
            What::Check(step) => step.number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn all_else_is_a_note() {
    let notes = "# check this\n> check that\n```\ncheck nothing\n~~~\n```\nLook around.\n1. Checking is good.\n**check** it\n---\n1.check\n";
    let sop = read(notes);
    assert!(!sop.has_steps());
    assert_eq!(sop.instructions.len(), 11);
    assert!(read("").instructions.is_empty());
}

#[test]
fn a_word_that_is_not_known_is_told_with_those_that_are() {
    for (line, near) in [
        ("check severtiy at least high", "\"severity ...\""),
        ("check label env si production", "\"is\""),
        ("check lable env is production", "\"label NAME ...\""),
        ("check severity at least hihg", "\"high\""),
        ("check other alerts includes x", ""),
        ("check last correction is flase positive", "\"false positive\""),
        ("get metrics /x expct status 200", "\"expect status 200\""),
        ("get metrics /x expect stauts 200", "\"status\""),
        ("get metrics /x/{lable host}", "\"{label NAME}\""),
        ("conclude reel issue: it is", "\"real issue\""),
        ("check flapping\n- if setp 1 fails conclude unknown: x", "\"step N\""),
        ("check flapping\nif it failed conclude unknown: x", "\"fails\""),
        ("check flapping\nif it fails concluded unknown: x", "\"conclude\""),
    ] {
        let reason = reason(line);
        assert!(reason.contains(near), "{line}: {reason}");
        assert!(reason.contains("There is: "), "{line}: {reason}");
    }
    assert!(reason("Check the dashboard.").contains("If the line is a note, begin it with another word"));
    assert!(reason("check").contains("Nothing follows check."));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    for (line, said) in [
        ("check flapping now", "\"now\" is too much here"),
        ("check label env is", "the value is missing"),
        ("check label env is \"x", "not closed"),
        ("check label env > much", "\"much\" is not a number"),
        (
            "check fired more than three times in 24h",
            "\"three\" is not a whole number",
        ),
        ("check fired more than 3 times in a while", "not a span of time"),
        ("check fired more than 3 times in 91d", "to 90 days"),
        ("check fired more than 3 times in 99999999999999999999h", "to 90 days"),
        ("check title matches disk", "stands between slashes"),
        ("check title matches /(/", "at its character 1"),
        ("check title matches /a/x", "stands between slashes"),
        ("check value at status is x", "begins with a slash"),
        ("get metrics", "comes the path"),
        ("get /api", "comes the tool's name"),
        ("get metrics api", "does not begin with one slash"),
        ("get metrics //evil.example/x", "does not begin with one slash"),
        ("get metrics /x#y", "%23"),
        ("get metrics /ä", "%C3%A4"),
        ("get metrics /{label x", "not closed"),
        ("get metrics /x expect status 700", "not a status"),
        ("get metrics /x expect body is x", "A body contains"),
        ("expect status 200", "belongs to a get"),
        ("conclude real issue", "behind a colon"),
        ("conclude real issue:", "text is missing"),
        ("if it fails conclude unknown: x", "No check comes before"),
        ("if any step fails conclude unknown: x", "No check comes before"),
        (
            "check flapping\nif step 2 fails conclude unknown: x",
            "does not come before this line",
        ),
    ] {
        let reason = reason(line);
        assert!(reason.contains(said), "{line}: {reason}");
    }
}

#[test]
fn a_number_that_could_mean_two_steps_is_refused() {
    let unclear = "1. Look.\n2. check flapping\n3. check not flapping\n- if step 2 fails conclude unknown: x";
    let all = refused(unclear);
    assert_eq!(all[0].0, 4);
    assert!(all[0].1.contains("the line written as 2. is step 1"), "{all:?}");
    read("1. check flapping\n2. check not flapping\n3. if step 2 fails conclude unknown: x");
}

#[test]
fn faults_are_told_by_line_and_all_at_once() {
    let bad = parse("# ok\n\ncheck x\ncheck flapping\nget\r\nconclude x: y\n").unwrap_err();
    assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 5, 6]);
    assert!(
        bad[0]
            .to_string()
            .starts_with("line 3: \"x\" is not known after check."),
        "{}",
        bad[0]
    );
    assert_eq!(refused(&"check x\n".repeat(30)).len(), BAD_LINES_MAX);
}

#[test]
fn a_procedure_is_bounded() {
    assert!(reason(&"x".repeat(SOP_BYTES_MAX + 1)).contains("at most 32768 bytes"));
    assert!(read(&"check flapping\n".repeat(STEPS_MAX)).has_steps());
    assert!(reason(&"check flapping\n".repeat(STEPS_MAX + 1)).contains("at most 50 steps"));
    assert!(reason(&"conclude unknown: x\n".repeat(CONCLUSIONS_MAX + 1)).contains("at most 100 conclusions"));
    assert!(
        reason(&format!(
            "get m /x expect status 200{}",
            " and status 200".repeat(EXPECTATIONS_MAX)
        ))
        .contains("At most 10")
    );
    assert!(reason(&format!("check title is {}", "x".repeat(501))).contains("longer than 500"));
    assert!(reason(&format!("get m /{}", "x".repeat(1_000))).contains("longer than 1000"));
}

#[test]
fn what_is_expected_may_stand_beneath() {
    let sop = read(
        "- get \"our metrics\" /x?a=b expect status 200\n  - expect json /a is \"b and c\" and json /b is d\n  - expect body contains e\n",
    );
    let What::Get(get) = &sop.instructions[0].what else {
        panic!()
    };
    assert_eq!(get.what.expectations.len(), 4);
    assert_eq!(get.what.tool, "our metrics");
    assert_eq!(sop.tools(), ["our metrics"]);
    assert!(get.text.ends_with("expect body contains e"), "{}", get.text);
}

#[test]
fn every_example_of_the_documentation_can_be_read() {
    let document = include_str!("../../../../../docs/procedures.md");
    let mut examples = 0;
    let mut refused = 0;
    for part in document.split("\n```").skip(1).step_by(2) {
        let (kind, text) = part.split_once('\n').unwrap();
        match kind {
            "markdown" => {
                let sop = read(text);
                assert!(!sop.instructions.is_empty(), "{text}");
                examples += 1;
            }
            "text" => {
                assert!(parse(text).is_err(), "{text}");
                refused += 1;
            }
            other => panic!("an example of the kind {other:?}"),
        }
    }
    assert!(examples >= 5 && refused >= 1, "{examples} {refused}");
    // Each check that there is, as it is told when one is missed.
    let told = reason("check");
    for form in told
        .split_once("There is: ")
        .unwrap()
        .1
        .split_once(". If")
        .unwrap()
        .0
        .split(", ")
    {
        let start = form
            .split(" NAME")
            .next()
            .unwrap()
            .trim_end_matches(" ...")
            .split(" /")
            .next()
            .unwrap();
        assert!(document.contains(&format!("check {start}")), "{form} is not documented");
    }
}
