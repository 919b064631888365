//! Which skill an alert calls for, and what its procedure says to look at. Pure.
