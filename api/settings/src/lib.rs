//! Sealed settings: a tenant's secrets under a key of its own, shown to nobody.
