package campaign_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

func TestParse_RefusesWhatTheParserWouldChokeOn(t *testing.T) {
	t.Parallel()
	var keys strings.Builder
	for n := range 100_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", n)
	}
	for name, source := range map[string]string{
		"a line that nests and closes again": "campaign: x\nsteps: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"many keys":                          keys.String(),
		"many keys in a line":                "a: {" + strings.ReplaceAll(keys.String(), "\n", ", ") + "z: 1}",
		"anchors":                            strings.Repeat("&a ", 100_000) + "x\n",
		"directives":                         strings.Repeat("%", 100_000),
		"dashes and tabs":                    strings.Repeat("-\t", 100_000),
		"documents":                          strings.Repeat("---\ncampaign: x\n", 60_000),
	} {
		file, problems := campaign.Parse("x.yaml", []byte(source))
		require.Error(t, problems.Err(), name)
		require.Len(t, problems, 1, name)
		require.Empty(t, file.Campaigns)
	}
}
