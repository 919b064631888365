//! Contexts as they are served: what each has beside its commands and tables, and the list of those of one program.

mod clash;

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use axum::routing::MethodRouter;
use book::{Book, BookError};
use domain::{Aggregate, AnyCommand, FactRef, Refusal};
use futures::future::BoxFuture;
use projections::Table;
use reactors::Known;
use serde_json::Value;
use uuid::Uuid;

use crate::Fault;
use crate::app::App;
use crate::auth::Principal;
use crate::command::Receiver;
use crate::command::joint::JointRequest;
use crate::command::past::Rehearsal;
use crate::crew::{Tasks, Worker};
use crate::demo::Demo;
use crate::metric::{self, Metric};
use crate::openapi::{Paths, commands};
use crate::permissions;
use crate::problem::Problem;
use crate::query::named::Named;
use crate::roles::Grants;
pub use clash::Clash;

/// One bounded context as it is served. A context that has nothing beside its commands and tables is
/// [`Context::of`] alone.
pub struct Context {
    pub decisions: &'static domain::Context,
    /// Its read tables; a context may have none.
    pub tables: Option<&'static projections::Context>,
    /// Queries with addresses of their own.
    pub queries: &'static [&'static Named],
    /// Routes of its own, below `/v1/{context}/`.
    pub routes: fn() -> Vec<Route>,
    /// Adds the operations of these routes to the OpenAPI document.
    pub paths: fn(&mut Paths),
    /// Commands that are carried out in another way than others.
    pub receivers: &'static [Receiver],
    /// How commands are tried on the past.
    pub rehearsals: &'static [Rehearsal],
    /// What is done to the fields of commands as they come in.
    pub edges: &'static [Edge],
    /// What is looked at before a command is decided.
    pub checks: &'static [Check],
    /// What is looked at in the book before a command is decided.
    pub guards: &'static [Guard],
    /// What is looked at once a command is accepted, for those who sent it.
    pub warnings: &'static [Warning],
    /// Whom a decision may have to see before it refuses for good.
    pub witnesses: &'static [Witnesses],
    /// Requests that take several commands; each has a route.
    pub joint: &'static [&'static JointRequest],
    /// Adds what its handlers share, to be found by [`App::of`].
    pub state: fn(&mut States),
    /// Its reactors, by what each reads: whoever migrates registers them, so that what happens before one first leads has
    /// effects, too.
    pub reactors: &'static [Known],
    /// The objects that its events name, if they name any: what no context names is swept.
    pub objects: Option<ObjectsNamed>,
    /// Workers of which one leads among all processes.
    pub workers: &'static [&'static Worker],
    /// Adds what a process that serves HTTP does on the side.
    pub tasks: fn(&App, &mut Tasks<'_>),
    /// Its gauges.
    pub gauges: &'static [&'static Gauge],
    /// What it counts and times by itself.
    pub counts: &'static [Metric],
    /// Permissions that its decisions or routes ask for, beside those of its commands, tables and queries: each with what
    /// it allows, in a sentence.
    pub permissions: &'static [(&'static str, &'static str)],
    /// Those of all its permissions that a key counts for which is bound to one device. Whoever asks for one of them sees to
    /// it that it is about that device: `By::require_device`.
    pub of_devices: &'static [&'static str],
    /// The permissions of standard roles in it.
    pub roles: &'static [Grants],
    /// Subcommands of `daybook` that concern it alone.
    pub commands: &'static [crate::cli::Subcommand],
    /// Demo data.
    pub demo: Option<&'static Demo>,
    /// Brings the book to what this program expects of it, before a process serves; again, it changes nothing.
    pub prepare: for<'a> fn(&'a Book) -> BoxFuture<'a, Result<(), Fault>>,
}

/// Changes the fields of commands as they come in, before anything is made of them, their digest for repeats included: so
/// a secret is sealed before anybody can keep it. The same fields must come out the same again.
#[derive(Clone, Copy)]
pub struct Edge {
    pub aggregate_type: &'static str,
    pub commands: &'static [&'static str],
    pub change: Change,
    /// Then fills in what was left out, from the stream as it is: what nobody is shown, nobody can send again.
    pub complete: Option<Complete>,
}

impl Edge {
    /// Whether the command is one of those whose fields it changes.
    #[must_use]
    pub fn takes(&self, aggregate: &Aggregate, command: &str) -> bool {
        self.aggregate_type == aggregate.aggregate_type && self.commands.contains(&command)
    }
}

/// Changes the fields of a command that comes in from a tenant.
pub type Change = for<'a> fn(&'a App, Uuid, &'a mut Value) -> BoxFuture<'a, Result<(), Problem>>;
/// Completes the fields of a command to a stream of a tenant, which stands last.
pub type Complete = for<'a> fn(&'a App, Uuid, Uuid, &'a mut Value) -> BoxFuture<'a, Result<(), Problem>>;

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Edge({} {:?})", self.aggregate_type, self.commands)
    }
}

/// Looks once a command is accepted, or would be, at what its decision lets pass, and says in sentences what whoever sent it
/// should know: that a name leads nowhere yet, say.
#[derive(Clone, Copy)]
pub struct Warning {
    pub aggregate_type: &'static str,
    pub commands: &'static [&'static str],
    /// Needed to be warned: it tells what is there and what is not.
    pub permission: &'static str,
    pub find: for<'a> fn(&'a App, Looked<'a>) -> BoxFuture<'a, Warned>,
}

/// A command, who sent it, and the stream that it is sent to.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    pub by: &'a Principal,
    pub stream: Uuid,
    pub command: &'a AnyCommand,
}

/// Looks in the book before a command is decided, at what a decision cannot name: streams that are found by a value that
/// they hold, say. It rests on what the book says now, and nothing keeps that from changing until the command is in it. It looks
/// for senders within whose reach the stream is, at commands that no receiver carries out.
#[derive(Clone, Copy)]
pub struct Guard {
    pub aggregate_type: &'static str,
    pub commands: &'static [&'static str],
    pub look: for<'a> fn(&'a App, Looked<'a>) -> BoxFuture<'a, Guarded>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({} {:?})", self.aggregate_type, self.commands)
    }
}

pub type Guarded = Result<Seen, BookError>;

/// What a guard has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub refusal: Option<Refusal>,
    /// Sentences for whoever sends the command, if it is let pass.
    pub warnings: Vec<String>,
}

impl std::fmt::Debug for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Warning({} {:?})", self.aggregate_type, self.commands)
    }
}

/// Sentences.
pub type Warned = Result<Vec<String>, BookError>;

/// Looks at a command before it is decided, with what decisions do not know: which permissions there are, and whether
/// the sender chose the id.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub aggregate_type: &'static str,
    pub command: &'static str,
    pub check: fn(&Checked<'_>) -> Result<(), Refusal>,
}

/// A command that is looked at before it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Checked<'a> {
    pub contexts: &'a Contexts,
    pub tenant: Uuid,
    /// The id that the sender chose or named; absent when the server chose it.
    pub addressed: Option<Uuid>,
    pub command: &'a AnyCommand,
}

/// The streams that were found.
pub type Found = Result<Vec<FactRef>, BookError>;

/// The objects of a tenant in the object store that events name, by their SHA-256.
pub type ObjectsNamed = for<'a> fn(&'a Book, Uuid) -> BoxFuture<'a, Result<HashSet<String>, BookError>>;

/// Streams that a decision of this kind may have to see before it refuses by this rule, and cannot name itself. They are
/// looked for once it has refused, and the command is decided once more.
#[derive(Clone, Copy)]
pub struct Witnesses {
    pub aggregate_type: &'static str,
    pub rule: &'static str,
    pub find: for<'a> fn(&'a Book, Uuid) -> BoxFuture<'a, Found>,
}

impl std::fmt::Debug for Witnesses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Witnesses({} {})", self.aggregate_type, self.rule)
    }
}

impl Context {
    /// A context of commands and tables alone.
    #[must_use]
    pub const fn of(decisions: &'static domain::Context, tables: Option<&'static projections::Context>) -> Self {
        Self {
            decisions,
            tables,
            queries: &[],
            routes: Vec::new,
            paths: |_| {},
            receivers: &[],
            rehearsals: &[],
            edges: &[],
            checks: &[],
            guards: &[],
            warnings: &[],
            witnesses: &[],
            joint: &[],
            state: |_| {},
            reactors: &[],
            objects: None,
            workers: &[],
            tasks: |_, _| {},
            gauges: &[],
            counts: &[],
            permissions: &[],
            of_devices: &[],
            roles: &[],
            commands: &[],
            demo: None,
            prepare: |_| Box::pin(async { Ok(()) }),
        }
    }

    /// The name in URLs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.decisions.name
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.name()).finish()
    }
}

/// A route of a context.
pub struct Route {
    pub path: &'static str,
    pub methods: MethodRouter<App>,
    /// For how long a request may wait for something to happen, in seconds, beyond what any may take; 0 for most.
    pub waits_seconds: u64,
    /// Whether what is sent with POST may have parameters behind the question mark: a sender that takes nothing but an
    /// address says everything there.
    pub takes_parameters: bool,
    /// Whether the path shows who asks, in the place of a token: then it is written nowhere.
    pub is_secret: bool,
}

impl Route {
    #[must_use]
    pub fn new(path: &'static str, methods: MethodRouter<App>) -> Self {
        Self {
            path,
            methods,
            waits_seconds: 0,
            takes_parameters: false,
            is_secret: false,
        }
    }
}

/// A metric of a context, with one series.
#[derive(Debug)]
pub struct Gauge {
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Its value, read each time that metrics are collected; none while there is nothing to tell.
    pub value: fn(&App) -> Option<f64>,
}

impl Gauge {
    fn metric(&self) -> Metric {
        Metric {
            kind: metric::Kind::Gauge,
            name: self.name,
            labels: &[],
            help: self.help,
        }
    }
}

/// The values that handlers of contexts share, each by its type.
#[derive(Debug, Default)]
pub struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    /// Adds a value; one of each type.
    pub fn insert<T: Any + Send + Sync>(&mut self, state: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(state));
    }

    /// The value of this type, if a context of this program has added one.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

/// The contexts of one program. Clones share them.
#[derive(Debug, Clone)]
pub struct Contexts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    contexts: Vec<&'static Context>,
    decisions: domain::Contexts,
    /// The names of each kind's commands, in the order of declaration.
    commands: HashMap<&'static str, Vec<String>>,
    /// See [`crate::permissions`].
    permissions: OnceLock<BTreeMap<String, String>>,
}

impl Contexts {
    /// # Errors
    /// When two contexts bring the same name of anything that there is one of, or one brings a name of the engines.
    pub fn new(contexts: &[&'static Context]) -> Result<Self, Clash> {
        clash::refuse(contexts)?;
        let decisions: Vec<_> = contexts.iter().map(|context| context.decisions).collect();
        let decisions = domain::Contexts::new(&decisions)?;
        let kinds = decisions.aggregates();
        let commands = kinds.map(|kind| (kind.aggregate_type, commands::names(kind))).collect();
        Ok(Self(Arc::new(Inner {
            contexts: contexts.to_vec(),
            decisions,
            commands,
            permissions: OnceLock::new(),
        })))
    }

    /// The contexts, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &'static Context> {
        self.0.contexts.iter().copied()
    }

    /// The contexts as decisions see them.
    #[must_use]
    pub fn decisions(&self) -> &domain::Contexts {
        &self.0.decisions
    }

    /// The contexts that have read tables.
    pub fn tables(&self) -> impl Iterator<Item = &'static projections::Context> {
        self.iter().filter_map(|context| context.tables)
    }

    /// The read tables of the context of this name.
    #[must_use]
    pub fn tables_of(&self, context: &str) -> Option<&'static projections::Context> {
        self.tables().find(|tables| tables.name == context)
    }

    /// The table of this name, in the context of this name.
    #[must_use]
    pub fn table(&self, context: &str, name: &str) -> Option<&'static Table> {
        self.tables_of(context)?.table(name)
    }

    /// The kind of stream that a URL means, also when it spells the word as its table does.
    #[must_use]
    pub fn by_url(&self, context: &str, plural: &str) -> Option<&'static Aggregate> {
        let plural = plural.replace('_', "-");
        let is_it = |kind: &&'static Aggregate| kind.context() == context && kind.plural == plural;
        self.decisions().aggregates().find(is_it)
    }

    /// The kind of stream of a stored name.
    #[must_use]
    pub fn aggregate(&self, aggregate_type: &str) -> Option<&'static Aggregate> {
        self.decisions().aggregate(aggregate_type)
    }

    /// Every permission that something asks for, with what it allows.
    #[must_use]
    pub fn permissions(&self) -> &BTreeMap<String, String> {
        self.0.permissions.get_or_init(|| permissions::catalogue(self))
    }

    /// The names of the commands that streams of this kind take, in kebab case and in the order of their declaration.
    #[must_use]
    pub fn commands(&self, aggregate: &Aggregate) -> &[String] {
        self.0.commands.get(aggregate.aggregate_type).map_or(&[], Vec::as_slice)
    }

    /// The request by which a command goes that streams of this kind do not take alone.
    #[must_use]
    pub fn joint(&self, aggregate: &Aggregate, command: &str) -> Option<&'static JointRequest> {
        let mut joint = self.iter().flat_map(|context| context.joint).copied();
        joint.find(|request| request.takes(aggregate, command))
    }

    /// What is done to the fields of a command as they come in.
    #[must_use]
    pub fn edge(&self, aggregate: &Aggregate, command: &str) -> Option<&'static Edge> {
        let mut edges = self.iter().flat_map(|context| context.edges);
        edges.find(|edge| edge.takes(aggregate, command))
    }

    /// How a command is tried on the past, if it is.
    #[must_use]
    pub fn rehearsal(&self, aggregate: &Aggregate, command: &str) -> Option<&'static Rehearsal> {
        let mut rehearsals = self.iter().flat_map(|context| context.rehearsals);
        rehearsals.find(|of| of.aggregate_type == aggregate.aggregate_type && of.commands.contains(&command))
    }

    /// Looks at a command before it is decided.
    ///
    /// # Errors
    /// The refusal of the first that objects.
    pub fn check(&self, checked: &Checked<'_>) -> Result<(), Refusal> {
        let (kind, name) = (checked.command.aggregate_type(), checked.command.name());
        let checks = self.iter().flat_map(|context| context.checks);
        let mut checks = checks.filter(|check| (check.aggregate_type, check.command) == (kind, name));
        checks.try_for_each(|check| (check.check)(checked))
    }

    /// What is looked at in the book before a command is decided.
    pub fn guards(&self, aggregate: &Aggregate, command: &str) -> impl Iterator<Item = &'static Guard> {
        let guards = self.iter().flat_map(|context| context.guards);
        guards.filter(move |of| of.aggregate_type == aggregate.aggregate_type && of.commands.contains(&command))
    }

    /// What is looked at once a command is accepted.
    pub fn warnings(&self, aggregate: &Aggregate, command: &str) -> impl Iterator<Item = &'static Warning> {
        let warnings = self.iter().flat_map(|context| context.warnings);
        warnings.filter(move |of| of.aggregate_type == aggregate.aggregate_type && of.commands.contains(&command))
    }

    /// How to look for what a decision may not have seen that refuses so.
    #[must_use]
    pub fn witnesses(&self, refusal: &Refusal) -> Option<&'static Witnesses> {
        let mut witnesses = self.iter().flat_map(|context| context.witnesses);
        witnesses.find(|of| (of.aggregate_type, of.rule) == (refusal.aggregate_type, refusal.rule))
    }

    /// Every metric that a process of this program may show.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        let of_contexts = self.iter().flat_map(|context| {
            let gauges = context.gauges.iter().map(|gauge| gauge.metric());
            gauges.chain(context.counts.iter().copied())
        });
        metric::ENGINES.iter().copied().chain(of_contexts)
    }

    /// The reactors of all contexts.
    pub fn reactors(&self) -> impl Iterator<Item = &'static Known> {
        self.iter().flat_map(|context| context.reactors)
    }

    /// The reactor of this name.
    ///
    /// # Errors
    /// The names of those that there are.
    pub fn reactor(&self, name: &str) -> Result<&'static Known, Vec<&'static str>> {
        let known = self.reactors().find(|known| known.name == name);
        known.ok_or_else(|| self.reactors().map(|known| known.name).collect())
    }

    /// The permissions that a key counts for which is bound to one device.
    #[must_use]
    pub fn of_devices(&self) -> Arc<[&'static str]> {
        self.iter().flat_map(|context| context.of_devices).copied().collect()
    }

    /// Who carries out this command in a way of its own.
    #[must_use]
    pub fn receiver(&self, aggregate: &Aggregate, command: &str) -> Option<&'static Receiver> {
        let mut receivers = self.iter().flat_map(|context| context.receivers);
        receivers.find(|receiver| receiver.aggregate_type == aggregate.aggregate_type && receiver.command == command)
    }
}
