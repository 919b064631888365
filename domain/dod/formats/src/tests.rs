//! Rules that hold over all formats.

mod details;
mod fingerprints;
mod mutations;
mod samples;
mod signatures;
mod speed;

use crate::samples::{Sample, all, received_at};
use crate::{Delivered, NoteKind, Recognised, Rules};

fn sample(name: &str) -> Sample {
    all()
        .into_iter()
        .find(|sample| sample.name == name)
        .unwrap_or_else(|| panic!("no sample is named {name}"))
}

fn read(body: &str) -> Recognised {
    read_by(body, &Rules::default())
}

fn read_by(body: &str, rules: &Rules) -> Recognised {
    let delivered = Delivered {
        content_type: Some("application/json"),
        headers: &[],
        query: &[],
        body: body.as_bytes(),
        received_at: received_at(),
    };
    crate::recognise(&delivered, rules).unwrap_or_else(|unreadable| panic!("{unreadable}"))
}

fn kinds(recognised: &Recognised) -> Vec<NoteKind> {
    recognised.notes.iter().map(|note| note.kind).collect()
}
