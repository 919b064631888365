use super::*;
use crate::sample;

fn of_sample() -> Value {
    let mut sections = sections(&sample::contexts());
    let (name, section) = sections.pop().unwrap();
    assert_eq!(name, "sample");
    section
}

fn operation<'a>(section: &'a Value, method: &str, path: &str) -> &'a Value {
    &section["paths"][path][method]
}

#[test]
fn a_body_and_what_it_refers_to_are_schemas_that_are_named_for_their_kind() {
    let section = of_sample();
    let schemas = section["components"]["schemas"].as_object().unwrap();
    let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
    // Both kinds have a `Label`, and neither is in the other's way.
    let expected = [
        "sample.folder.Folder",
        "sample.folder.FolderAmendment",
        "sample.folder.Label",
        "sample.folder.enter",
        "sample.folder.amend",
        "sample.folder.strike",
        "sample.visit.Label",
        "sample.visit.begin",
        "sample.visit.end",
        "sample.folders",
    ];
    for name in expected {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert_eq!(names.len(), expected.len(), "{names:?}");
    let label = &schemas["sample.visit.begin"]["properties"]["labels"]["items"];
    assert_eq!(*label, parts::schema("sample.visit.Label"));

    let begin = operation(&section, "post", "/v1/sample/visits/{id}/begin");
    let body = &begin["requestBody"];
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(*schema, parts::schema("sample.visit.begin"));
    assert_eq!(
        (&body["required"], &begin["summary"]),
        (&json!(true), &json!("Begins a visit."))
    );
    let end = operation(&section, "post", "/v1/sample/visits/{id}/end");
    assert_eq!(end["requestBody"]["required"], false);
    let enter = operation(&section, "post", "/v1/sample/folders");
    assert_eq!(
        enter["requestBody"]["required"], true,
        "what the schema refers to has a field that is required"
    );
}

#[test]
fn every_command_takes_a_dry_run_and_says_what_it_needs() {
    let section = of_sample();
    let commands = section["paths"].as_object().unwrap().values();
    let mut commands = commands.filter_map(|methods| methods.get("post")).peekable();
    assert!(commands.peek().is_some());
    for command in commands {
        let parameters = command["parameters"].as_array().unwrap();
        assert!(parameters.contains(&parts::parameter("DryRun")), "{command}");
        let needed = command["security"][0]["bearer"][0].as_str().unwrap();
        let id = command["operationId"].as_str().unwrap();
        assert!(id.starts_with(needed), "{id} needs {needed}");
    }
}

#[test]
fn the_fields_of_a_command_are_known_wherever_its_schema_has_them() {
    let contexts = sample::contexts();
    // In no order: whether JSON keeps one is for whoever builds this with other crates to say.
    let fields = |plural: &str, command: &str| {
        let mut fields = commands::fields(contexts.by_url("sample", plural).unwrap(), command);
        fields.sort();
        fields
    };
    assert_eq!(fields("visits", "begin"), ["from_address", "labels"]);
    assert_eq!(fields("folders", "enter"), ["labels", "name"]);
    for (plural, command) in [("visits", "end"), ("folders", "strike"), ("visits", "leave")] {
        assert_eq!(fields(plural, command), [""; 0], "{command}");
    }
}

#[test]
fn names_of_commands_come_in_the_order_of_declaration() {
    let contexts = sample::contexts();
    let visits = contexts.by_url("sample", "visits").unwrap();
    assert_eq!(contexts.commands(visits), ["begin", "end"]);
}

#[test]
fn the_fixed_texts_are_json_and_name_no_limit_that_is_not_filled_in() {
    let section = fixed::section();
    assert!(section["paths"].is_object() && section["components"]["parameters"].is_object());
    let text = section.to_string();
    let unfilled = text.match_indices('{').find(|(at, _)| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|char| char.is_ascii_uppercase())
    });
    assert_eq!(unfilled.map(|(at, _)| &text[at..at + 40]), None);
    let limit = &section["components"]["parameters"]["EventsLimit"]["schema"];
    let expected = [crate::audit::log::PAGE_EVENTS_MAX, crate::audit::log::PAGE_EVENTS].map(Value::from);
    assert_eq!([&limit["maximum"], &limit["default"]], [&expected[0], &expected[1]]);
}

#[test]
fn each_operation_is_one_line_with_the_permissions_that_it_needs() {
    let lines = lines(&sample::contexts());
    for line in [
        "POST /v1/sample/visits sample.visit.begin.without-id sample.visit.begin",
        "GET /v1/sample/folders/{key} sample.folders.get sample.folders.read",
        "GET /v1/events events.list audit.read",
        "GET /health/live health.live (open)",
    ] {
        assert!(lines.lines().any(|known| known == line), "{line} is not in\n{lines}");
    }
}
