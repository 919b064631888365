//! Fields that hold one of a few words.

/// An enum whose values are words. It derives `serde`'s traits, `JsonSchema`, `strum::IntoStaticStr` and
/// `strum::VariantNames`, all in the same case.
pub trait Word: Copy + Into<&'static str> + strum::VariantNames {}
