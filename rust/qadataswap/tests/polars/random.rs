//! Random frames of Polars through a ring and back.

use crate::polars_types::every_polars_type;
use crate::{assert_same, echo};
use polars::prelude::*;
use proptest::prelude::*;

/// Rows of one column, in parts: each a slice of the gallery's column.
#[derive(Clone, Debug)]
struct Recipe {
    which: usize,
    /// Cuts the rows into chunks; smaller numbers make shorter ones.
    cuts: Vec<usize>,
    skip: usize,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let cuts = prop::collection::vec(1_usize..20, 0..5);
    (any::<prop::sample::Index>(), cuts, 0_usize..9).prop_map(|(which, cuts, skip)| Recipe {
        which: which.index(every_polars_type().len() - 2),
        cuts,
        skip,
    })
}

/// `rows` rows in chunks, all of them slices.
fn column(recipe: &Recipe, name: &str, rows: usize) -> Column {
    let (_, whole) = every_polars_type().swap_remove(recipe.which);
    let mut parts: Vec<Series> = Vec::new();
    let (mut left, mut cuts) = (rows, recipe.cuts.iter().cycle());
    while left > 0 || parts.is_empty() {
        let most = whole.len() - recipe.skip;
        let part = cuts.next().map_or(most, |cut| *cut).min(most).min(left);
        parts.push(whole.slice(recipe.skip as i64, part));
        left -= part;
    }
    let mut series = parts.remove(0);
    for part in &parts {
        series.append(part).expect("of the same type");
    }
    series.with_name(name.into()).into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(recipes in prop::collection::vec(recipe(), 0..6), rows in 0_usize..90) {
        let columns = recipes.iter().enumerate();
        let columns: Vec<_> = columns.map(|(at, recipe)| column(recipe, &format!("c{at}"), rows)).collect();
        let frame = DataFrame::new(rows, columns).expect("columns of one length");
        assert_same(&echo("random", &frame), &frame);
        let (from, some) = (rows as i64 / 3, rows / 2);
        let slice = frame.slice(from, some);
        assert_same(&echo("random-slice", &slice), &slice);
    }
}
