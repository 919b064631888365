//! Which skill an alert calls for, and what the skill's procedure finds. Pure: no input, no output, no clock, no chance.
//!
//! An alert finds its skill in two ways. First by [`matching`]: what persons bound to it, by a pattern on a named field. Then,
//! when nothing is bound, by [`vectors`]: the skill whose described problem is nearest to the alert's words. They are made of
//! the words alone ([`lexical`]), or by a [`model`] that the tenant names. What the skill says to do is its [`sop`], Markdown
//! that a person on call can write; an [`investigation`] follows it over [`evidence`], step by step, and always ends with a
//! conclusion that says what was checked, found, and could not be known.
//!
//! Texts of alerts and of tools are data in all of this. Nothing in them is ever read as a step, a pattern or a conclusion.

pub mod subject;

pub mod pattern;

pub mod matching;

pub mod vectors;

pub mod lexical;

pub mod model;

pub mod sop;

pub mod finding;

pub mod evidence;

pub mod investigation;

mod fold;

mod quote;
