//! What can go wrong with a circuit.

/// Why a circuit could not be built or did not step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Code of an operator, its own or a closure's, panicked. The circuit is lost: its state may be half changed.
    #[error("worker {worker} panicked in operator {operator}: {message}; build the circuit anew")]
    Panic {
        /// The worker.
        worker: usize,
        /// The operator's name and number.
        operator: String,
        /// What the panic said.
        message: String,
    },
    /// An operator cannot go on. The circuit is lost, as after a panic.
    #[error("worker {worker} failed in operator {operator}: {message}; build the circuit anew")]
    Operator {
        /// The worker.
        worker: usize,
        /// The operator's name and number.
        operator: String,
        /// Why.
        message: String,
    },
    /// An earlier step failed, here or in another worker.
    #[error("the circuit is lost since an earlier step failed ({0}); build it anew")]
    Lost(String),
    /// The circuit that was described cannot be built.
    #[error("the circuit cannot be built: {0}")]
    Circuit(String),
    /// A circuit was to be stepped by chunks, and has an operator for which that makes a difference.
    #[error(
        "operator {operator} goes by steps, and a transaction takes as many as it needs; step once for all, or do without it"
    )]
    BySteps {
        /// The operator's name and number.
        operator: String,
    },
    /// A nested scope went on for too many iterations.
    #[error(
        "{scope} found no fixed point within {iterations} iterations; bound the recursion or raise the limit"
    )]
    NoFixedPoint {
        /// The operator's name and number.
        scope: String,
        /// The iterations that it was given.
        iterations: u32,
    },
    /// A table lacks a column.
    #[error("there is no column {column}, only {present}; add it, or say which column it is")]
    MissingColumn {
        /// The column.
        column: String,
        /// The columns that are there.
        present: String,
    },
    /// A column of a table is of another type than its rows have.
    #[error("column {column} has to be {expected} and is {got}; cast it first")]
    ColumnType {
        /// The column.
        column: String,
        /// The type of its rows.
        expected: String,
        /// The type that it has.
        got: String,
    },
    /// Rows are missing in a column where none can be.
    #[error(
        "column {column} has {nulls} nulls and its rows can have none; fill them, or make it an `Option`"
    )]
    Nulls {
        /// The column.
        column: String,
        /// How many.
        nulls: usize,
    },
    /// Columns of a table cannot be told apart, or are not named one by one.
    #[error("{0}; name each column once")]
    ColumnNames(String),
    /// A thread could not be started.
    #[error("worker {worker} could not be started: {message}")]
    Spawn {
        /// The worker.
        worker: usize,
        /// What the system said.
        message: String,
    },
}
