"""Declared state: what products, customers, hosts and installations there shall be, as one value.

`declared` has the data, `rules` say whether it makes sense, `difference` tells what one declaration has that another has not.
What does not live here: files (`sources.declaration`) and rows (`store.declared`).
"""

from releaser.domain.declaration.declared import (
    Declaration,
    DeclaredContact,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredLine,
    DeclaredModule,
    DeclaredObject,
    DeclaredProduct,
    DeclaredTarget,
    Origin,
    Place,
    plain,
    sparse,
)
from releaser.domain.declaration.difference import Action, Change, FieldChange, Noun, differences, kept, left_out
from releaser.domain.declaration.rules import InvalidDeclarationError, Problem, check, is_zone

__all__ = [
    "Action",
    "Change",
    "Declaration",
    "DeclaredContact",
    "DeclaredCustomer",
    "DeclaredHost",
    "DeclaredInstallation",
    "DeclaredLine",
    "DeclaredModule",
    "DeclaredObject",
    "DeclaredProduct",
    "DeclaredTarget",
    "FieldChange",
    "InvalidDeclarationError",
    "Noun",
    "Origin",
    "Place",
    "Problem",
    "check",
    "differences",
    "is_zone",
    "kept",
    "left_out",
    "plain",
    "sparse",
]
