//! The programs that context `sample` is served by.

use http::Context;
use sample_http::CONTEXT;

/// The contexts of the program, and this one after them.
pub fn added() -> http::Contexts {
    http::Contexts::new(&[daybook::contexts::CONTEXTS, &[&CONTEXT]].concat()).unwrap()
}

/// The prelude that all may read, and this one alone.
pub fn alone() -> http::Contexts {
    http::Contexts::new(&[prelude(), &CONTEXT]).unwrap()
}

pub fn prelude() -> &'static Context {
    let mut contexts = daybook::contexts::CONTEXTS.iter();
    contexts
        .find(|context| context.name() == identity::CONTEXT.name)
        .unwrap()
}
