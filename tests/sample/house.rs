//! The shape of the house: the engines name no context, no context knows another, and arrows never run back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The contexts of the documents, those too that nobody has begun with.
const DOCUMENTS: [&str; 5] = ["cloudwatcher", "dod", "idle", "dashboard", "midway"];
/// Words of every day, which name a context only where a name stands: an idle connection is none.
const ENGLISH: [&str; 2] = ["idle", "dashboard"];
/// Hexadecimal digits of a document's id, and decimal ones of the number before it.
const ID_DIGITS: usize = 16;
const NUMBER_DIGITS: usize = 3;
/// Crates that the decisions of a context, and their engine, do without: no input, no output, no clock.
const OUTSIDE: [&str; 8] = [
    "async-nats",
    "axum",
    "book",
    "hyper",
    "postgres-es",
    "reqwest",
    "sqlx",
    "tokio",
];
/// The prelude, which all may read.
const PRELUDE: &str = "identity";
/// Where the crates of the context of tests lie, in folders like those of the house.
const SAMPLE: &str = "tests/sample/";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every context there is or will be, the prelude aside.
fn contexts() -> BTreeSet<&'static str> {
    let served = daybook::contexts::CONTEXTS.iter().map(|context| context.name());
    let all = served.chain(DOCUMENTS).chain([sample::CONTEXT.name]);
    all.filter(|name| *name != PRELUDE).collect()
}

/// A crate of the workspace.
#[derive(Debug)]
struct Member {
    folder: String,
    /// What it depends on by name, and whether for its tests alone.
    needs: Vec<(String, bool)>,
}

impl Member {
    fn read(folder: &str) -> (String, Self) {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let (mut section, mut name, mut needs) = ("", String::new(), Vec::new());
        for line in manifest.lines() {
            let word = line.split(['.', ' ', '=']).next().unwrap_or_default();
            match section {
                _ if line.starts_with('[') => section = line.trim(),
                _ if word.is_empty() || word == "#" => {}
                "[package]" if word == "name" => line.split('"').nth(1).unwrap().clone_into(&mut name),
                "[dependencies]" | "[build-dependencies]" => needs.push((word.to_owned(), false)),
                "[dev-dependencies]" => needs.push((word.to_owned(), true)),
                _ => {}
            }
        }
        let folder = folder.to_owned();
        (name, Self { folder, needs })
    }

    /// The folder as it would be in the house.
    fn place(&self) -> String {
        match self.folder.strip_prefix(SAMPLE) {
            Some(floor) => format!("{floor}/{}", sample::CONTEXT.name),
            None => self.folder.clone(),
        }
    }

    /// The floor that it is on: what lies above may know what lies below.
    fn floor(&self) -> usize {
        let floors = ["domain", "book", "projections", "api/", "api", "tests"];
        let floor = floors.iter().position(|floor| self.place().starts_with(floor));
        floor.unwrap_or_else(|| panic!("{} is on no floor", self.folder))
    }

    /// The context that it belongs to, the prelude too, also when it is a part of one of its floors; the engines belong
    /// to none.
    fn context(&self) -> Option<&'static str> {
        let place = self.place();
        let folder = place.split('/').nth(1)?;
        contexts().into_iter().chain([PRELUDE]).find(|name| *name == folder)
    }

    /// Whether it may name contexts although it is of none: the program, which lists them, and the tests.
    fn lists_contexts(&self) -> bool {
        ["api", "tests"].contains(&&*self.folder)
    }

    fn is_engine(&self) -> bool {
        self.context().is_none() && !self.lists_contexts()
    }
}

/// The crates of the workspace by name.
fn members() -> BTreeMap<String, Member> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, list) = manifest.split_once("members = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split('"').skip(1).step_by(2).map(Member::read).collect()
}

/// The files below a folder, without the folders of other crates and without what was built.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.push(path);
        } else if !path.join("Cargo.toml").exists() && !path.ends_with("target") {
            files(&path, found);
        }
    }
}

/// The files of the engines: their crates, the migrations of the book, the program but for its list of contexts, and the
/// harness of integration tests but for the benches, which measure what the documents ask of theirs, and for the attacks of
/// `./dev hostile`, which are some on what contexts serve.
///
/// Not among them is `tests/it`: what it tries is the engines', but it tries that over the program, whose contexts it has
/// to command, and `cloudwatcher` is its example. No search can tell an example from a belief that there is no other;
/// whoever adds a context sees what believed it.
fn engines() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for member in members().values().filter(|member| member.is_engine()) {
        files(&root().join(&member.folder), &mut found);
    }
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        found.extend(Some(entry.unwrap().path()).filter(|path| path.is_file()));
    }
    files(&root().join("api/src"), &mut found);
    let mut harness = Vec::new();
    files(&root().join("tests/src"), &mut harness);
    let measures = |path: &PathBuf| {
        path.strip_prefix(root().join("tests/src"))
            .is_ok_and(|path| path.starts_with("bench") || path.starts_with("hostile"))
    };
    found.extend(
        harness
            .into_iter()
            .filter(|path| !measures(path) && !path.ends_with("bench.rs")),
    );
    found.retain(|path| !path.ends_with("api/src/contexts.rs"));
    found
}

/// The contexts and documents that a text names.
fn named(text: &str, contexts: &BTreeSet<&'static str>) -> BTreeSet<String> {
    let text = text.to_ascii_lowercase();
    let mut found = BTreeSet::new();
    let mut end = 0;
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let start = end;
        end = start + word.len();
        let (before, after) = (&text[..start], &text[end..]);
        // Whatever parts the words takes one byte, or belongs to a letter that is part of no name.
        end += after.chars().next().map_or(0, char::len_utf8);
        let is_id = word.len() == ID_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let follows_number = || {
            let number = before.strip_suffix('_').unwrap_or_default();
            let digits = number.bytes().rev().take_while(u8::is_ascii_digit).count();
            digits == NUMBER_DIGITS
        };
        let is_name = if ENGLISH.contains(&word) {
            stands_as_name(before, after)
        } else {
            true
        };
        if (contexts.contains(word) && is_name) || (is_id && follows_number()) {
            found.insert(word.to_owned());
        }
        // Within a longer word, of a type say, when no English word has it.
        let within = contexts.iter().filter(|name| name.len() > 6 && !ENGLISH.contains(name));
        found.extend(
            within
                .filter(|name| word.contains(**name))
                .map(|name| (*name).to_owned()),
        );
    }
    found
}

/// Whether a word stands where the name of a context does: alone in quotes, in a path, before a table's or a kind's
/// name, in the name of a crate.
fn stands_as_name(before: &str, after: &str) -> bool {
    let opens = before.ends_with(['"', '\'', '`', '/']);
    let closes = after.is_empty() || after.starts_with(['"', '\'', '`', '/']);
    let qualifies = after
        .strip_prefix('.')
        .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_lowercase()));
    let is_crate = ["::", "_tables", "-tables", "_http", "-http"];
    let in_sql = ["from", "join", "into", "update", "table", "references", "schema"];
    let follows = before.trim_end().rsplit(' ').next().unwrap_or_default();
    (opens && (closes || qualifies))
        || (in_sql.contains(&follows) && qualifies)
        || before.ends_with("context ")
        || is_crate.iter().any(|rest| after.starts_with(rest))
}

#[test]
fn the_engines_name_no_context() {
    let contexts = contexts();
    let files = engines();
    assert!(files.len() > 150, "{files:?}");
    let mut all = Vec::new();
    for path in files {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in (1..).zip(format!("{name}\n{text}").lines()) {
            let found = named(line, &contexts);
            // What the context of tests is called is what samples are called, and the engines' own tests have some.
            let found = found.into_iter().filter(|name| name != sample::CONTEXT.name);
            all.extend(found.map(|context| format!("{name}:{}: {context}: {line}", number - 1)));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_name_of_a_context_is_found_wherever_it_stands() {
    let contexts = contexts();
    for line in [
        "use cloudwatcher::order;",
        "/// As in Cloudwatcher.",
        "from cloudwatcher.orders t",
        "struct CloudwatcherOrders;",
        "cloudwatcher_tables::CONTEXT",
        "(document 001_eec75370b5eea864)",
        "name: \"idle\",",
        "\"idle.resource\"",
        "select from idle.resources",
        "/v1/idle/resources",
        "idle-tables.workspace = true",
        "context idle",
        "the DoD's alerts",
        "midway",
        "\"dashboard\": 1",
    ] {
        assert!(!named(line, &contexts).is_empty(), "{line}");
    }
    for line in [
        "idle_session_timeout",
        "if idle.idle_for < 3",
        "an idle connection; it is idle.",
        "daybook_pool_idle",
        "eec75370b5eea864",
        "a dashboard of metrics",
        "todo",
    ] {
        assert_eq!(named(line, &contexts), BTreeSet::new(), "{line}");
    }
}

#[test]
fn no_context_knows_another_and_arrows_never_run_back() {
    let members = members();
    for (name, member) in &members {
        for (need, for_tests) in &member.needs {
            let Some(needed) = members.get(need) else { continue };
            let arrow = format!("{name} needs {need}");
            assert!(needed.floor() <= member.floor(), "{arrow}, which lies above it");
            assert!(*for_tests || need != "rehearsal", "{arrow}, which is for tests");
            assert!(need != "tests", "{arrow}");
            if member.lists_contexts() {
                continue;
            }
            let (own, other) = (member.context(), needed.context());
            let is_own = other.is_none() || other == own;
            // The engine of HTTP knows who asks, so it reads the prelude; the other engines need not.
            let reads_prelude = other == Some(PRELUDE) && (own.is_some() || member.floor() == 3);
            assert!(is_own || reads_prelude, "{arrow}, another context");
        }
        if member.floor() == 0 {
            let outside = member.needs.iter().filter(|(need, _)| OUTSIDE.contains(&&**need));
            assert_eq!(
                outside.count(),
                0,
                "{name} decides, and has to do with nothing outside: {:?}",
                member.needs
            );
        }
        if member.floor() < 3 {
            let http = member
                .needs
                .iter()
                .any(|(need, _)| ["axum", "hyper"].contains(&&**need));
            assert!(!http, "{name} lies below HTTP");
        }
    }
    // The list is read, and not an empty one.
    let of_samples = members
        .values()
        .filter(|member| member.context() == Some(sample::CONTEXT.name));
    assert_eq!(of_samples.count(), 3, "one per floor");
    assert!(members["daybook-http"].is_engine() && members["book"].is_engine());
    assert_eq!(members["cloudwatcher-http"].context(), Some("cloudwatcher"));
}

/// What the test target of each context with tables has to say somewhere.
const ASKED: [(&str, &str); 5] = [
    ("conform::differences(", "whether its tables are those that it declares"),
    ("guards_every_key(", "who guards its unique keys"),
    ("serve_every_order_by_time(", "which index serves its orders by time"),
    ("serve_every_filter(", "which index serves its filters"),
    (
        "Share::Context(\"{context}\")",
        "its operations as somebody whose business it is not",
    ),
];

#[test]
fn contexts_are_tried_by_targets_of_their_own() {
    let tests = root().join("tests");
    let manifest = fs::read_to_string(tests.join("Cargo.toml")).unwrap();
    let mut untried = Vec::new();
    for context in crate::context::added().tables() {
        let name = context.name;
        if !manifest.contains(&format!("path = \"{name}/main.rs\"")) {
            untried.push(format!("tests/Cargo.toml has no target with the path {name}/main.rs"));
            continue;
        }
        let mut own = Vec::new();
        files(&tests.join(name), &mut own);
        // This file has the words for another reason.
        own.retain(|path| !path.ends_with("house.rs"));
        let own: String = own.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        for (words, what) in ASKED {
            let words = words.replace("{context}", name);
            if !own.contains(&words) {
                untried.push(format!("tests/{name} does not try {what}: nothing there calls {words}"));
            }
        }
    }
    assert!(untried.is_empty(), "{untried:#?}");
}

/// A file that no `mod` names is built by nobody, so what it asks is asked by nobody.
#[test]
fn every_file_of_a_test_target_is_part_of_it() {
    let tests = root().join("tests");
    let manifest = fs::read_to_string(tests.join("Cargo.toml")).unwrap();
    let targets = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix("/main.rs\""));
    let mut forgotten = Vec::new();
    for target in targets {
        let folder = tests.join(target);
        let mut own = Vec::new();
        files(&folder, &mut own);
        own.retain(|path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("main.rs"));
        assert!(!own.is_empty(), "{target}");
        for path in own {
            let parent = path.parent().unwrap();
            let above = if parent == folder {
                folder.join("main.rs")
            } else {
                parent.with_extension("rs")
            };
            let module = format!("mod {};", path.file_stem().unwrap().display());
            let above = fs::read_to_string(&above).unwrap_or_default();
            if !above.lines().any(|line| line.trim_start_matches("pub ") == module) {
                forgotten.push(path);
            }
        }
    }
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// Words of a test's name, at least: what has fewer is a name of something else.
const TEST_NAME_WORDS_MIN: usize = 5;

/// A document that says which test shows something is believed only as long as there is such a test.
#[test]
fn every_test_that_a_document_names_is_there() {
    let mut sources = Vec::new();
    for member in members().values() {
        files(&root().join(&member.folder), &mut sources);
    }
    sources.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    let sources: String = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let (mut documents, mut named, mut missing) = (Vec::new(), 0, Vec::new());
    files(&root().join("docs"), &mut documents);
    documents.retain(|path| path.extension().is_some_and(|end| end == "md"));
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let Some((_, name)) = quoted.rsplit_once("::") else {
                continue;
            };
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if is_name && name.split('_').count() >= TEST_NAME_WORDS_MIN {
                named += 1;
                if !sources.contains(&format!("fn {name}(")) {
                    missing.push(format!("{}: {quoted}", document.display()));
                }
            }
        }
    }
    assert!(named > 40 && missing.is_empty(), "of {named}: {missing:#?}");
}
