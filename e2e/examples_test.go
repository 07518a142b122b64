package e2e_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"scrip.dev/scrip/e2e/walk"
)

// record writes the histories of these journeys where the replay tests find them:
// make histories.
var record = flag.String("record", "", "the release under whose name histories are written into workflows/testdata")

func TestExampleCampaigns(t *testing.T) {
	for _, w := range walk.Ways {
		t.Run(w.Campaign+"/"+w.Name, func(t *testing.T) {
			p := shared.person(t, w.Campaign)
			j := w.Walk(p.Person)
			require.Equal(t, w.Outcome, j.Outcome)
			require.Equal(t, w.Messages, len(p.Messages()))
			if *record == "" {
				return
			}
			folder := filepath.Join("..", "workflows", "testdata", *record)
			require.NoError(t, os.MkdirAll(folder, 0o755))
			history := p.cli(t, "workflow", "show", "-w", j.Workflow, "--output", "json")
			require.NoError(t, os.WriteFile(filepath.Join(folder, w.Campaign+"."+w.Name+".json"), []byte(history), 0o644))
		})
	}
}

func TestEveryExampleCampaignIsWalked(t *testing.T) {
	files, err := os.ReadDir(filepath.Join("..", "examples", "campaigns"))
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".yaml")
		walked := false
		for _, w := range walk.Ways {
			walked = walked || w.Campaign == name
		}
		require.True(t, walked, "%s has no way through it in this test", name)
	}
}
