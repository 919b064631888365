//! The live tables are those that are declared, and those that the document asks for.

use dod_tables::CONTEXT;
use tests::Ledger;

#[tokio::test]
async fn every_table_conforms_to_its_declaration_and_to_the_document() {
    let ledger = Ledger::open().await;
    let mut connection = ledger.pools.owner.acquire().await.unwrap();
    let differences = projections::conform::differences(&mut connection, &CONTEXT, CONTEXT.name);
    assert_eq!(differences.await.unwrap(), Vec::<String>::new());
    let Ok(spec) = std::env::var("DAYBOOK_SPEC_DIR") else {
        tests::skipped("DAYBOOK_SPEC_DIR, which leads to the documents' own check, is not set");
        return;
    };
    let check = std::process::Command::new("python3")
        .arg(format!("{spec}/check.py"))
        .args(["--schema", CONTEXT.name])
        .arg(ledger.database.url())
        .output()
        .expect("python3 runs");
    let printed = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(
        check.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&check.stderr)
    );
    assert!(printed.trim().ends_with("11 of 11 tables conform"), "{printed}");
}
