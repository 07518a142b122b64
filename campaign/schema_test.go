package campaign_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(campaign.Schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", doc))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return schema
}

// documents gives the YAML documents of a file as JSON types.
func documents(t *testing.T, src string) []any {
	t.Helper()
	var docs []any
	for _, part := range strings.Split("\n"+src, "\n---") {
		asJSON, err := yaml.YAMLToJSON([]byte(part))
		require.NoError(t, err)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		require.NoError(t, err)
		docs = append(docs, doc)
	}
	return docs
}

func TestSchema_TakesEveryExample(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	for _, name := range examples(t) {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, doc := range documents(t, string(src)) {
			require.NoError(t, schema.Validate(doc), name)
		}
	}
}

func TestSchema_TakesWhatParseTakes(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	for _, src := range []string{
		"campaign: a\ntrigger: manual\nformat: 1\nx-note: free\nsteps:\n  - end: done_here\n",
		"campaign: a\ntrigger: {event: [a.b, c.d], contact: event.owner}\nentry: {key: event.x, while_inside: update}\ntimezone: America/Argentina/Buenos_Aires\nlifetime: 1d12h\nsteps:\n  - wait: {until: \"2026-01-01 08:00\", offset: +2h, days: mon, at: \"10:00\"}\n  - await:\n      - {until: trigger.delivered_at, offset: -1h}\n  - call: {connection: x, method: GET, path: /a}\n  - assign: {coupon: a/b, new: true, valid_for: 2d}\n",
		"campaign: a\ntrigger: {event: a.b, where: true}\nsteps:\n  - if: contact.tagged(\"x\")\n    then: [{tag: [a, b]}]\n    else: [{untag: b}]\n  - if: true\n    withdraw: x\n",
		"coupon: a\ndiscount: {free_shipping: true}\ncodes: {shared: 12345, max_uses: 5}\nvalid_until: \"2026-01-01\"\nvalid_from: \"2025-01-01 10:00\"\non_empty: skip\nlow_at: [1, 0]\n",
		"coupon: a\ndiscount: {text: a gift}\ncodes: {list: true, sets: [x, y], draw: random}\nlimits: {budget: 12.5, min_order: 3, total: 4, per_contact: 1}\nredeemable_by: holder\n",
	} {
		_, problems := campaign.Parse("f.yaml", []byte(src))
		require.Empty(t, problems.Errors(), "%s", problems.Error())
		for _, doc := range documents(t, src) {
			require.NoError(t, schema.Validate(doc), src)
		}
	}
}

func TestSchema_RefusesWhatParseRefuses(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	for name, c := range wrong {
		if c.schemaTakes {
			continue // Parse alone can see it
		}
		for _, doc := range documents(t, c.src) {
			require.Error(t, schema.Validate(doc), name)
		}
	}
}
