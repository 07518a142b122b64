package catalog_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/integrations/catalog"
)

var update = flag.Bool("update", false, "write docs/integrations.md anew")

const page = "../../docs/integrations.md"

func TestMarkdown_IsThePageInTheDocs(t *testing.T) {
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(catalog.Markdown()), 0o644))
	}
	written, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, catalog.Markdown(), string(written), "run go test ./integrations/catalog -update")
}

func TestDescriptor_NamesTheNearestOfAnUnknownKind(t *testing.T) {
	t.Parallel()
	_, err := catalog.Descriptor("shopfy")
	require.ErrorContains(t, err, `nearest is "shopify"`)
	require.ErrorContains(t, err, "sendgrid, shopify, twilio")
	d, err := catalog.Descriptor("twilio")
	require.NoError(t, err)
	require.Equal(t, "Twilio", d.Title)
}

func TestAll_AreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range catalog.All() {
		require.Regexp(t, regexp.MustCompile(`^[a-z][a-z0-9-]*$`), d.Kind)
		require.False(t, seen[d.Kind], "%s is there twice", d.Kind)
		seen[d.Kind] = true
		require.NotEmpty(t, d.Title)
		require.NotEmpty(t, d.Does)
		require.NotNil(t, d.New)
		require.True(t, strings.HasPrefix(d.Docs, "https://"))
		var example map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(d.Example), &example), "%s's example", d.Kind)
		require.Equal(t, d.Kind, example["kind"])
	}
}
