//! FOCUS 1.0 to 1.4, Cost and Usage (FinOps Open Cost and Usage Specification). Takes the header
//! and the rows of a file, gives cells of `billing_lines`.
//!
//! Which column of the table takes which column of the file stands in the table itself: the
//! `source` of a column names its FOCUS columns, all versions' spellings. Case and underscores do
//! not matter, since warehouses change them. What has no column in the table is kept as received
//! in `other_columns`.
//!
//! Strict where money depends on it: cost, currency and billing period must be there in every
//! row, and whatever is there in a number or time column must be one. Tolerant elsewhere: missing
//! columns, new vocabulary and odd tags are kept and reported, never guessed at.
//!
//! The source of a bill, unless the user names it, is the names in ProviderName (FOCUS up to 1.3),
//! else those in InvoiceIssuerName (1.4), in alphabetical order. Not ServiceProviderName: on a
//! marketplace's bill it names every seller, so it changes from month to month.

use std::borrow::Cow;
use std::collections::BTreeSet;

use csv::StringRecord;
use spanledger_schemas::{Column, Kind, Money};

use super::cells;
use super::error::{ImportError, Problem};
use super::limits::COLUMNS_MAX;
use super::lines::{Cell, columns};

/// Columns that each version brought, newest first. FOCUS files do not carry their version.
const BROUGHT_BY: [(&str, &[&str]); 4] = [
    ("1.4", &["commitment_program_eligibility_details", "invoice_detail_id"]),
    (
        "1.3",
        &[
            "allocated_method_details",
            "allocated_method_id",
            "allocated_resource_id",
            "allocated_resource_name",
            "allocated_tags",
            "contract_applied",
            "host_provider_name",
            "service_provider_name",
        ],
    ),
    (
        "1.2",
        &[
            "billing_account_type",
            "invoice_id",
            "pricing_currency",
            "pricing_currency_contracted_unit_price",
            "pricing_currency_effective_cost",
            "pricing_currency_list_unit_price",
            "sub_account_type",
        ],
    ),
    (
        "1.1",
        &[
            "capacity_reservation_id",
            "capacity_reservation_status",
            "commitment_discount_quantity",
            "commitment_discount_unit",
            "service_subcategory",
            "sku_meter",
            "sku_price_details",
        ],
    ),
];

/// Columns without which answers lack something, with what they lack.
const WANTED: [(&str, &str, &str); 4] = [
    ("effective_cost", "EffectiveCost", "no amortised cost"),
    ("charge_period_start", "ChargePeriodStart", "lines are dated by their billing period"),
    ("charge_category", "ChargeCategory", "usage, tax and credits are not told apart"),
    ("service_name", "ServiceName", "no cost per service"),
];

/// Other datasets of FOCUS, by a column that only they have.
const OTHER_DATASETS: [(&str, &str); 5] = [
    ("contractcommitmentid", "a FOCUS Contract Commitment dataset"),
    ("billingperiodstatus", "a FOCUS Billing Period dataset"),
    // Has costs, currency and periods like Cost and Usage, and would count every invoice twice.
    ("paymentcurrencybilledcost", "a FOCUS Invoice Detail dataset"),
    ("invoicedetailgrain", "a FOCUS Invoice Detail dataset"),
    ("invoicedetaildescription", "a FOCUS Invoice Detail dataset"),
];

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;

/// Names collected for the source; a bill with more has no sensible default.
const NAMES_MAX: usize = 8;

/// How the columns of one file become cells, and what was noticed on the way.
pub(super) struct Focus {
    /// Names as the file has them.
    header: Vec<String>,
    /// For each cell of a line, where it comes from.
    plan: Vec<(&'static Column, Origin)>,
    /// Columns of the file that have none in the table.
    others: Vec<usize>,
    places: Places,
    providers: BTreeSet<String>,
    issuers: BTreeSet<String>,
    /// Amounts with digits past the 18th.
    pub(super) rounded: u64,
    /// Amounts that came as binary floats.
    pub(super) floats: u64,
    /// Tags in no known form.
    pub(super) odd_tags: u64,
}

/// Where a cell comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Origin {
    /// A column of the file.
    File { column: usize, float: bool },
    /// The file has no such column.
    Nowhere,
    /// The day of the charge.
    Day,
    /// The number of the row.
    RowNumber,
    /// All columns of the file that have none in the table. Stands behind all tags in the table,
    /// so that tags nobody could read are known by then.
    Others,
}

/// Columns of the file that rules look at.
struct Places {
    provider: Option<usize>,
    issuer: Option<usize>,
}

/// What the sums need of a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) period_us: (i64, i64),
    pub(super) currency: String,
    pub(super) billed_cost: Money,
    pub(super) effective_cost: Option<Money>,
}

impl Focus {
    /// Reads a header; `float` says which columns hold binary floats.
    ///
    /// # Errors
    /// When the file is another dataset, or lacks columns that money depends on (all of them are
    /// named at once), or has one twice.
    pub(super) fn new(
        header: &[String],
        float: impl Fn(usize) -> bool,
        file: &str,
    ) -> Result<Focus, ImportError> {
        if header.len() > COLUMNS_MAX {
            return Err(ImportError::TooLarge {
                file: file.to_owned(),
                what: "columns",
                limit: COLUMNS_MAX as u64,
                hint: "export FOCUS columns only",
            });
        }
        let keys: Vec<String> = header.iter().map(|name| key(name)).collect();
        if let Some((_, found)) = OTHER_DATASETS.iter().find(|(k, _)| keys.iter().any(|h| h == k)) {
            return Err(ImportError::Unsupported {
                file: file.to_owned(),
                found: (*found).to_owned(),
                expected: "the FOCUS Cost and Usage dataset",
                hint: "import the provider's Cost and Usage export; this one is not read yet",
            });
        }
        let mut taken = vec![false; header.len()];
        let mut problems = twice(header, &keys);
        let mut plan = Vec::new();
        for column in columns() {
            let origin = match (column.name, focus_names(column)) {
                ("date", _) => Origin::Day,
                ("line_number", _) => Origin::RowNumber,
                ("other_columns", _) => Origin::Others,
                (_, names) => {
                    // The column's own name before another version's spelling of it.
                    let names = std::iter::once(key(column.name)).chain(names.map(key));
                    match names.into_iter().find_map(|n| keys.iter().position(|k| *k == n)) {
                        Some(at) => {
                            taken[at] = true;
                            Origin::File { column: at, float: float(at) }
                        }
                        None => Origin::Nowhere,
                    }
                }
            };
            if origin == Origin::Nowhere && is_needed(column) {
                let name = focus_names(column).next().unwrap_or(column.name);
                problems.push(Problem::column(name, "missing", "a column of the file"));
            }
            plan.push((column, origin));
        }
        if !problems.is_empty() {
            let file = file.to_owned();
            return Err(ImportError::Rejected { file, problems, more: false });
        }
        let place = |name: &str| {
            plan.iter().find_map(|(column, origin)| match origin {
                Origin::File { column: at, .. } if column.name == name => Some(*at),
                _ => None,
            })
        };
        Ok(Focus {
            places: Places {
                provider: place("provider_name"),
                issuer: place("invoice_issuer_name"),
            },
            header: header.to_vec(),
            plan,
            others: (0..taken.len()).filter(|at| !taken[*at]).collect(),
            providers: BTreeSet::new(),
            issuers: BTreeSet::new(),
            rounded: 0,
            floats: 0,
            odd_tags: 0,
        })
    }

    /// The version, judged by the newest column there is.
    pub(super) fn version(&self) -> &'static str {
        let newest = BROUGHT_BY.iter().find(|(_, names)| names.iter().any(|name| self.has(name)));
        newest.map_or("1.0", |(version, _)| version)
    }

    /// FOCUS columns that are missing though answers want them, with what is lost.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let missing = WANTED.iter().filter(|(column, _, _)| !self.has(column));
        missing.map(|(_, name, lost)| (*name, *lost))
    }

    /// Columns kept in `other_columns` that are not the provider's own.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> + '_ {
        let names = self.others.iter().map(|at| self.header[*at].as_str());
        names.filter(|name| !name.starts_with("x_") && !name.starts_with("X_"))
    }

    /// Whose bill it is, by the names in the rows read so far; none when no row has one.
    pub(super) fn source_names(&self) -> &BTreeSet<String> {
        if self.providers.is_empty() { &self.issuers } else { &self.providers }
    }

    fn has(&self, name: &str) -> bool {
        self.plan.iter().any(|(c, origin)| c.name == name && matches!(origin, Origin::File { .. }))
    }

    /// Turns a row into the cells of a line, in the order of [`columns`], and what the sums need.
    /// What is wrong with it is added to `problems`; the cells are then of no use.
    pub(super) fn line<'a>(
        &mut self,
        row: u64,
        record: &'a StringRecord,
        cells: &mut Vec<Cell<'a>>,
        problems: &mut Vec<Problem>,
    ) -> Facts {
        let mut facts = Facts::default();
        let mut charged_us = None;
        let mut unread_tags = Vec::new();
        let mut day_at = 0;
        let before = problems.len();
        cells.clear();
        for i in 0..self.plan.len() {
            let (target, origin) = self.plan[i];
            let cell = match origin {
                Origin::Day => {
                    day_at = i;
                    Cell::Date(0)
                }
                Origin::RowNumber => Cell::Int(i64::try_from(row).unwrap_or(i64::MAX)),
                Origin::Others => Cell::Map(self.others(record, &unread_tags)),
                Origin::Nowhere => absent(target),
                Origin::File { column, float } => {
                    let received = record.get(column).unwrap_or_default();
                    let read = match cells::present(received) {
                        Some(text) if target.kind == Kind::TextMap => {
                            Ok(Cell::Map(cells::tags(text).unwrap_or_else(|| {
                                self.odd_tags += 1;
                                unread_tags.push(column);
                                Vec::new()
                            })))
                        }
                        Some(text) => self.value(target, text, float),
                        None if is_needed(target) => Err("a value"),
                        None => Ok(absent(target)),
                    };
                    read.unwrap_or_else(|expected| {
                        let name = &self.header[column];
                        problems.push(Problem::cell(row, name, received, expected));
                        Cell::Null
                    })
                }
            };
            match (target.name, &cell) {
                ("billed_cost", Cell::Decimal(amount)) => facts.billed_cost = *amount,
                ("effective_cost", Cell::Decimal(amount)) => facts.effective_cost = Some(*amount),
                ("billing_currency", Cell::Text(code)) => {
                    code.as_ref().clone_into(&mut facts.currency)
                }
                ("billing_period_start", Cell::Instant(us)) => facts.period_us.0 = *us,
                ("billing_period_end", Cell::Instant(us)) => facts.period_us.1 = *us,
                ("charge_period_start", Cell::Instant(us)) => charged_us = Some(*us),
                _ => {}
            }
            cells.push(cell);
        }
        let day = charged_us.unwrap_or(facts.period_us.0).div_euclid(DAY_US);
        // Years reach from -9999 to 9999: fewer than four million days either way.
        cells[day_at] = Cell::Date(day as i32);
        if problems.len() == before && facts.period_us.0 >= facts.period_us.1 {
            let end = record.iter().zip(&self.header).find(|(_, n)| key(n) == "billingperiodend");
            let (found, column) = end.map_or(("", ""), |(text, name)| (text, name.as_str()));
            problems.push(Problem::cell(row, column, found, "an instant after BillingPeriodStart"));
        }
        self.note_names(record);
        facts
    }

    fn value<'a>(
        &mut self,
        target: &Column,
        text: &'a str,
        float: bool,
    ) -> Result<Cell<'a>, &'static str> {
        Ok(match target.kind {
            Kind::Decimal => {
                let (amount, exact) = cells::decimal(text)?;
                self.rounded += u64::from(!exact);
                self.floats += u64::from(float);
                Cell::Decimal(amount)
            }
            Kind::Instant => Cell::Instant(cells::instant(text)?),
            _ if target.name == "billing_currency" => Cell::Text(cells::currency(text)?.into()),
            _ => Cell::Text(Cow::Borrowed(text)),
        })
    }

    /// Columns without one in the table, and tags that could not be read, as received.
    fn others(&self, record: &StringRecord, unread_tags: &[usize]) -> cells::TagMap {
        let kept = |at: &usize| {
            let text = record.get(*at)?;
            cells::present(text).map(|_| (self.header[*at].clone(), Some(text.to_owned())))
        };
        self.others.iter().chain(unread_tags).filter_map(kept).collect()
    }

    fn note_names(&mut self, record: &StringRecord) {
        let note = |place: Option<usize>, names: &mut BTreeSet<String>| {
            let name = place.and_then(|at| record.get(at)).and_then(cells::present);
            if let Some(name) = name
                && names.len() <= NAMES_MAX
                && !names.contains(name)
            {
                names.insert(name.to_owned());
            }
        };
        note(self.places.provider, &mut self.providers);
        note(self.places.issuer, &mut self.issuers);
    }
}

/// Whether every row of a bill must have a value for the column.
fn is_needed(column: &Column) -> bool {
    !column.nullable && column.kind != Kind::TextMap
}

/// The cell of a column for which the bill says nothing.
fn absent(column: &Column) -> Cell<'static> {
    if column.kind == Kind::TextMap { Cell::Map(Vec::new()) } else { Cell::Null }
}

/// A column's name without case and underscores.
fn key(name: &str) -> String {
    // The provider's own columns keep theirs, lest `x_BilledCost` come near `BilledCost`.
    if name.starts_with("x_") || name.starts_with("X_") {
        return name.to_owned();
    }
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

/// The FOCUS columns that a column of the table takes, as its `source` lists them.
fn focus_names(column: &'static Column) -> impl Iterator<Item = &'static str> {
    column.source.strip_prefix("FOCUS ").into_iter().flat_map(|names| names.split(", "))
}

fn twice(header: &[String], keys: &[String]) -> Vec<Problem> {
    let repeated = (0..keys.len()).filter(|at| keys[..*at].contains(&keys[*at]));
    repeated.map(|at| Problem::column(&header[at], "there twice", "one such column")).collect()
}
