package campaign

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema gives the JSON Schema (draft 2020-12) of campaign, coupon and segment
// documents, for editors. Parse checks the same and more.
func Schema() []byte { return slices.Clone(schema) }
