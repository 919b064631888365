//! Messages to people: how Slack and Lark want them. Pure.
