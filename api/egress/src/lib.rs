//! The one way out of Daybook: a client of HTTP that reaches only what its owner may reach.
