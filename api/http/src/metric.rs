//! What a process measures: the one list of the engines' metrics. Whoever collects them is told by it what each means; contexts
//! are held against its names, and dashboards and alerts (`deploy/`) against its labels.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It only grows, from 0 when the process starts; its name ends in `_total`.
    Counter,
    Gauge,
    /// Seconds or commands, in buckets.
    Histogram,
}

/// A metric, as it is told of in `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    pub kind: Kind,
    pub name: &'static str,
    /// What tells its series apart; the values of each are few, and nobody outside can make another.
    pub labels: &'static [&'static str],
    /// What it is, in a sentence.
    pub help: &'static str,
}

impl Metric {
    /// Tells the recorder what it means, and begins a counter that has one series alone: what is first seen as 1 has never
    /// grown, and no alert would see it.
    pub fn describe(&self) {
        let (name, help) = (self.name, self.help);
        match self.kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
        if self.kind == Kind::Counter && self.labels.is_empty() {
            metrics::counter!(name).increment(0);
        }
    }
}

macro_rules! listed {
    ($($kind:ident $name:literal [$($label:literal)*] $help:literal;)+) => {
        /// The metrics of the engines, which no context has.
        pub const ENGINES: &[Metric] = &[$(
            Metric { kind: Kind::$kind, name: $name, labels: &[$($label),*], help: $help }
        ),+];
    };
}

listed! {
    // Commands and requests.
    Counter "daybook_commands_total" ["command" "outcome"]
        "Commands that came in over HTTP, each by what became of it.";
    Histogram "daybook_command_seconds" ["command"]
        "Time from a command's coming in over HTTP to its answer, whatever that was.";
    Histogram "daybook_http_seconds" ["method" "route" "status"]
        "Time from a request's head to the head of its answer.";
    Counter "daybook_refused_total" ["status" "kind"]
        "Requests that were answered 401, 403, 429 or 503.";
    Counter "daybook_failed_total" []
        "Requests that were answered 500, or another status of a server but 503: each is a defect or a broken database.";
    Counter "daybook_lost_races_total" []
        "Attempts at commands that others were faster than, on the same streams; each was tried again.";
    Counter "daybook_commands_slowed_total" ["context"]
        "Commands that waited because the tables of their context were behind.";
    Counter "daybook_principals_read_total" []
        "Readings from the book of what a user may do.";

    // Appends.
    Histogram "daybook_append_seconds" []
        "Time that the database took for one batch of commands.";
    Histogram "daybook_append_batch_commands" []
        "Commands in one batch.";
    Gauge "daybook_append_wait_seconds" ["context"]
        "For how long each command waits now because the tables of its context are behind.";
    Gauge "daybook_book_position" []
        "The last position of the book, as this process knows it.";

    // Tables.
    Gauge "daybook_projector_position" ["context"]
        "The position up to which this process has posted the tables of a context.";
    Gauge "daybook_projector_lag" ["context"]
        "Events that this process has still to post into the tables of a context; 0 of one that stands by.";
    Gauge "daybook_projector_parked" ["context"]
        "Streams that cannot be posted and wait for somebody to mend the cause.";
    Counter "daybook_projector_events_total" ["context"]
        "Events that were posted.";
    Counter "daybook_projector_beyond_total" ["context"]
        "Messages of the bus beyond the end of the book, which were not believed.";
    Histogram "daybook_projector_page_seconds" ["context"]
        "Time for one page of events: folds, rows and checkpoint.";
    Gauge "daybook_tables_late_seconds" ["context"]
        "Age of the oldest event that the tables of a context do not show, whoever is to post it.";
    Gauge "daybook_erasures_unswept" []
        "Destroyed keys whose traces wait to be swept from tables.";

    // Policies and timers.
    Gauge "daybook_policy_lag" ["policy"]
        "Events that a policy of this process has still to look at; 0 of one that stands by.";
    Gauge "daybook_policy_missed" ["policy"]
        "Events that a policy could not react to, or whose reactions wait for their turn.";
    Counter "daybook_policy_commands_total" ["policy" "outcome"]
        "Commands that a policy sent: accepted or refused.";
    Counter "daybook_policy_aside_total" ["policy"]
        "Events whose reactions were put aside, because their tenant has more going on than its share.";
    Counter "daybook_policy_readings_total" ["by"]
        "Pages of the book that were read for policies: for all at once, or for one that is behind.";
    Counter "daybook_policy_newer_needed_total" ["policy"]
        "Stops of a policy before an event that only a newer version of it reads.";
    Gauge "daybook_timers_due" ["context"]
        "Timers that were due when they were last looked at.";
    Gauge "daybook_receipts_kept" []
        "Receipts that are older than a receipt lives, and stay because something may send their command again.";
    Gauge "daybook_receipts_kept_age_seconds" []
        "Age of the oldest of these.";

    // The bus.
    Gauge "daybook_relay_lag" []
        "Events that the relay of this process has still to publish; 0 of one that stands by.";
    Gauge "daybook_relay_position" []
        "The position up to which this process has published the book.";
    Counter "daybook_relay_failures_total" []
        "Attempts at publishing that failed.";
    Gauge "daybook_nats_connected" []
        "1 while this process is connected to NATS, 0 otherwise.";
    Gauge "daybook_bus_consumers" []
        "Durable consumers that are kept.";
    Counter "daybook_bus_consumers_refused_total" []
        "Consumers that NATS refused to have again, and that were forgotten.";
    Counter "daybook_bus_streams_made_total" []
        "Streams of the bus that were made anew.";
    Counter "daybook_bus_forgeries_total" []
        "Messages on the stream that the relay found to be somebody else's.";
    Counter "daybook_bus_messages_refused_total" []
        "Messages that a reader of the bus did not believe.";

    // Effects outside.
    Gauge "daybook_reactor_lag" ["reactor"]
        "Events that a reactor has still to look at.";
    Gauge "daybook_reactions" ["reactor" "status"]
        "Effects that are waiting to be done, and dead letters.";
    Histogram "daybook_reaction_seconds" ["reactor"]
        "Time for one attempt at an effect.";
    Counter "daybook_reaction_attempts_total" ["reactor" "outcome"]
        "Attempts at effects, by what came of them.";
    Counter "daybook_reaction_commands_total" ["reactor" "outcome"]
        "Commands that a reactor sent: accepted or refused.";
    Counter "daybook_egress_calls_total" ["outcome"]
        "Calls to the outside, by what came of them.";
    Counter "daybook_objects_removed_total" ["why"]
        "Objects that were removed from the object store: orphans, or those of deleted tenants.";
    Counter "daybook_objects_removed_bytes_total" ["why"]
        "Bytes of these.";

    // Seals.
    Gauge "daybook_seals_on" []
        "1 when this process has the key of seals and the role that makes them, 0 otherwise.";
    Gauge "daybook_seals_lag" []
        "Events that the sealer of this process has still to seal; 0 of one that stands by.";
    Counter "daybook_seals_total" []
        "Seals that were made.";

    // The process.
    Gauge "daybook_build_info" ["version" "migrations"]
        "1, with the version of this program and how many migrations it knows, which tells builds of one version apart.";
    Gauge "daybook_ready" []
        "1 while /health/ready of this process says 200, 0 while it says 503.";
    Gauge "daybook_degraded" []
        "Sentences under `degraded` of /health/ready: what does not work and is done without.";
    Gauge "daybook_worker_failing" ["worker"]
        "How often a worker has failed in a row; 0 of one that is well.";
    Counter "daybook_worker_failures_total" ["worker" "how"]
        "Workers that failed, panicked or hung; each was begun again.";
    Counter "daybook_lead_sessions_lost_total" []
        "Sessions that held the leads of this process and broke.";
    Counter "daybook_tasks_lost_total" []
        "Tasks of this process that are gone for good: restart it.";
    Gauge "daybook_pool_connections" ["pool"]
        "Connections of a pool, in use or not.";
    Gauge "daybook_pool_connections_max" ["pool"]
        "Connections that a pool may have.";
    Gauge "daybook_pool_idle" ["pool"]
        "Connections of a pool that nobody uses.";
    Gauge "daybook_shares_held" ["name"]
        "What is held of that of which a process has only so much: requests, event streams, bytes.";
    Counter "daybook_shares_refused_total" ["name"]
        "Requests that were answered 429 or 503 for want of it.";
    Gauge "daybook_turns_waiting" ["name"]
        "Requests that wait for their turn to read the log or the tables.";
    Counter "daybook_turns_refused_total" ["name"]
        "Requests that were answered 429 or 503 because too many wait for a turn, or it came too late.";
    Counter "daybook_connections_refused_total" []
        "Connections that were closed at once, because their address had its share.";
    Counter "daybook_connections_unread_total" []
        "Connections that were ended because their answers were not read.";
    Gauge "process_resident_memory_bytes" []
        "Memory of this process; on Linux.";
    Gauge "process_open_fds" []
        "Files and connections that this process has open; on Linux.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_counter_and_nothing_else_ends_in_total_and_each_metric_has_a_name_of_its_own_and_a_sentence() {
        let mut names = BTreeSet::new();
        for Metric { kind, name, help, .. } in ENGINES {
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(help.ends_with('.') && help.len() > 10, "{name}: {help}");
            assert!(names.insert(name), "{name} is there twice");
        }
    }

    #[test]
    fn a_histogram_ends_in_what_it_has_buckets_for() {
        let histograms = ENGINES.iter().filter(|metric| metric.kind == Kind::Histogram);
        for Metric { name, .. } in histograms {
            assert!(name.ends_with("_seconds") || name.ends_with("_commands"), "{name}");
        }
    }
}
