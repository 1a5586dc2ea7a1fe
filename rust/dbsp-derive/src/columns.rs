//! What is made of a struct.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, Ident, Result};

use crate::fields::{Field, fields};

/// Returns the columns and the reference of a struct, and what makes it a row.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = fields(input)?;
    let names = Names::of(input);
    let structs = structs(input, &names, &fields);
    let data = data(&names, &fields);
    let column = column(&names, &fields);
    let arrow = arrow(&names, &fields);
    Ok(quote! {
        #structs
        #[allow(clippy::all, clippy::pedantic, unused_qualifications)]
        const _: () = {
            use ::qadataswap_dbsp::column::{Column, Data};
            use ::core::cmp::Ordering;
            use ::core::ops::Range;
            #data
            #column
            #arrow
        };
    })
}

struct Names {
    row: Ident,
    reference: Ident,
    columns: Ident,
}

impl Names {
    fn of(input: &DeriveInput) -> Self {
        let row = input.ident.clone();
        Self { reference: format_ident!("{row}Ref"), columns: format_ident!("{row}Columns"), row }
    }
}

fn structs(input: &DeriveInput, names: &Names, fields: &[Field]) -> TokenStream {
    let Names { row, reference, columns } = names;
    let visibility = &input.vis;
    let about_reference = format!(" A [`{row}`] that stays in its column.");
    let about_columns = format!(" Rows of [`{row}`]: a column for each field.");
    let of_reference = fields.iter().map(|Field { name, visibility, docs, of, member }| {
        let of = quote!(<#of as ::qadataswap_dbsp::column::Data>::Ref<'a>);
        let label = label(member, name);
        quote!(#(#docs)* #visibility #label #of)
    });
    let of_columns = fields.iter().map(|Field { name, visibility, docs, of, member }| {
        let of = quote!(<#of as ::qadataswap_dbsp::column::Data>::Column);
        let label = label(member, name);
        quote!(#(#docs)* #visibility #label #of)
    });
    let (reference_body, columns_body) = if is_tuple(input) {
        (quote!((#(#of_reference),*);), quote!((#(#of_columns),*);))
    } else {
        (quote!({ #(#of_reference),* }), quote!({ #(#of_columns),* }))
    };
    quote! {
        #[doc = #about_reference]
        #[allow(unused_qualifications)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #visibility struct #reference<'a> #reference_body

        #[doc = #about_columns]
        #[allow(unused_qualifications)]
        #[derive(Clone, Debug, Default)]
        #visibility struct #columns #columns_body
    }
}

fn label(member: &syn::Member, name: &Ident) -> TokenStream {
    match member {
        syn::Member::Named(_) => quote!(#name:),
        syn::Member::Unnamed(_) => TokenStream::new(),
    }
}

fn is_tuple(input: &DeriveInput) -> bool {
    matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Unnamed(_)))
}

fn data(Names { row, reference, columns }: &Names, fields: &[Field]) -> TokenStream {
    let member: Vec<_> = fields.iter().map(|field| &field.member).collect();
    let of: Vec<_> = fields.iter().map(|field| &field.of).collect();
    quote! {
        #[automatically_derived]
        impl Data for #row {
            type Column = #columns;
            type Ref<'a> = #reference<'a>;
            type Row<'a, DataKey: Data> = (DataKey::Ref<'a>, Self::Ref<'a>);
            const WIDTH: ::core::option::Option<usize> = {
                let width = ::core::option::Option::Some(0);
                #(let width = ::qadataswap_dbsp::column::wider(width, <#of as Data>::WIDTH);)*
                width
            };

            #[inline]
            fn row<'a, DataKey: Data>(
                key: DataKey::Ref<'a>,
                val: Self::Ref<'a>,
            ) -> (DataKey::Ref<'a>, Self::Ref<'a>) {
                (key, val)
            }
            #[inline]
            fn borrow(&self) -> #reference<'_> {
                #reference { #(#member: <#of as Data>::borrow(&self.#member)),* }
            }
            #[inline]
            fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short> {
                #reference { #(#member: <#of as Data>::shorten(value.#member)),* }
            }
            #[inline]
            fn owned(value: #reference<'_>) -> Self {
                Self { #(#member: <#of as Data>::owned(value.#member)),* }
            }
            #[inline]
            fn hash(value: #reference<'_>) -> u64 {
                if <Self as Data>::WIDTH.is_some() {
                    return ::qadataswap_dbsp::column::mix(<Self as Data>::bits(value));
                }
                let hash = 0u64;
                #(let hash = ::qadataswap_dbsp::column::combine(hash, <#of as Data>::hash(value.#member));)*
                hash
            }
            #[inline]
            fn bits(value: #reference<'_>) -> u64 {
                let bits = 0u64;
                if <Self as Data>::WIDTH.is_some() {
                    #(let bits = bits.checked_shl(8 * <#of as Data>::WIDTH.unwrap_or(0) as u32).unwrap_or(0)
                        | <#of as Data>::bits(value.#member);)*
                    return bits;
                }
                bits
            }
        }
    }
}

fn column(Names { row, reference, columns }: &Names, fields: &[Field]) -> TokenStream {
    let of: Vec<_> = fields.iter().map(|field| &field.of).collect();
    let member: Vec<_> = fields.iter().map(|field| &field.member).collect();
    let first = member[0];
    quote! {
        #[automatically_derived]
        impl Column for #columns {
            type Item = #row;

            const FIXED: bool = true #(&& <<#of as Data>::Column as Column>::FIXED)*;

            #[inline]
            fn len(&self) -> usize {
                Column::len(&self.#first)
            }
            #[inline]
            fn get(&self, row: usize) -> #reference<'_> {
                #reference { #(#member: Column::get(&self.#member, row)),* }
            }
            #[inline]
            fn push(&mut self, value: #reference<'_>) {
                #(Column::push(&mut self.#member, value.#member);)*
            }
            #[inline]
            fn push_item(&mut self, value: #row) {
                #(Column::push_item(&mut self.#member, value.#member);)*
            }
            fn push_default(&mut self) {
                #(Column::push_default(&mut self.#member);)*
            }
            fn set(&mut self, row: usize, value: #reference<'_>) {
                #(Column::set(&mut self.#member, row, value.#member);)*
            }
            fn truncate(&mut self, rows: usize) {
                #(Column::truncate(&mut self.#member, rows);)*
            }
            fn detach(&mut self) {
                #(Column::detach(&mut self.#member);)*
            }
            fn reserve(&mut self, rows: usize) {
                #(Column::reserve(&mut self.#member, rows);)*
            }
            #[inline]
            fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
                #(Column::extend_range(&mut self.#member, &from.#member, ::core::clone::Clone::clone(&rows));)*
            }
            fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
                #(Column::extend_rows(&mut self.#member, &from.#member, rows);)*
            }
            #[inline]
            fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
                Ordering::Equal
                    #(.then_with(|| Column::order(&self.#member, row, &other.#member, other_row)))*
            }
            #[inline]
            fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
                true #(&& Column::same(&self.#member, row, &other.#member, other_row))*
            }
            #[inline]
            fn leading(&self, row: usize) -> u64 {
                Column::leading(&self.#first, row)
            }
            fn bytes(&self) -> usize {
                0 #(+ Column::bytes(&self.#member))*
            }
        }
    }
}

/// The bounds are written for a lifetime that nothing has, so that a field without them takes away this impl, not the row.
fn arrow(Names { columns, .. }: &Names, fields: &[Field]) -> TokenStream {
    let member: Vec<_> = fields.iter().map(|field| &field.member).collect();
    let of: Vec<_> = fields.iter().map(|field| &field.of).collect();
    let name: Vec<_> = fields.iter().map(Field::text).collect();
    let arrow = quote!(::qadataswap_dbsp::arrow);
    quote! {
        #[automatically_derived]
        impl #arrow::ArrowValues for #columns
        where
            #(for<'arrow> <#of as Data>::Column: #arrow::ArrowColumn),*
        {
            fn data_type() -> #arrow::DataType {
                #arrow::struct_type([#(<<#of as Data>::Column as #arrow::ArrowColumn>::field(#name)),*])
            }
            fn of_values(
                array: &#arrow::ArrayRef,
                column: #arrow::ColumnName<'_>,
                there: ::core::option::Option<&#arrow::NullBuffer>,
            ) -> ::core::result::Result<Self, ::qadataswap_dbsp::Error> {
                let members = #arrow::Members::of(array, column, there, <Self as #arrow::ArrowValues>::data_type)?;
                ::core::result::Result::Ok(Self { #(#member: members.get(#name)?),* })
            }
            fn into_values(self, nulls: ::core::option::Option<#arrow::NullBuffer>) -> #arrow::ArrayRef {
                let rows = Column::len(&self);
                #arrow::struct_of(
                    <Self as #arrow::ArrowValues>::data_type(),
                    [#(#arrow::ArrowColumn::into_array(self.#member)),*],
                    rows,
                    nulls,
                )
            }
        }
    }
}
