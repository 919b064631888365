//! A migration added to the folder must be embedded although no source file changed.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
