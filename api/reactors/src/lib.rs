//! Reactors: effects outside that follow from events, at least once, under stable ids.
