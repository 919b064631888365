//! Context `dod`: alerts, the issues that they join, and what is known of solving them. Document 002_292caa697ae18d8c.
