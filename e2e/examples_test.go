package e2e_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/e2e/walk"
)

// record writes the histories of these journeys where the replay tests find them:
// make histories.
var record = flag.String("record", "", "the release under whose name histories are written into workflows/testdata")

func TestExampleCampaigns(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]map[string]bool{} // by campaign: the steps that were come to, and the outcomes
	t.Run("ways", func(t *testing.T) {
		for _, w := range walk.Ways {
			t.Run(w.Campaign+"/"+w.Name, func(t *testing.T) {
				if w.Campaign+"/"+w.Name != alone {
					t.Parallel()
				}
				p := shared.customer(t, w.Campaign)
				j := w.Walk(p.Person)
				require.Equal(t, w.Outcome, j.Outcome)
				require.Equal(t, w.Messages, len(p.Messages()))
				mu.Lock()
				if seen[w.Campaign] == nil {
					seen[w.Campaign] = map[string]bool{}
				}
				seen[w.Campaign][outcomeOf(j.Outcome)] = true
				for _, s := range j.Steps {
					seen[w.Campaign][s.Step] = true
					seen[w.Campaign][branchOf(s.Step, s.Status != "skipped" && s.Status != "failed")] = true
				}
				mu.Unlock()
				if *record == "" {
					return
				}
				folder := filepath.Join("..", "workflows", "testdata", *record)
				require.NoError(t, os.MkdirAll(folder, 0o755))
				history := p.cli(t, "workflow", "show", "-w", j.Workflow, "--output", "json")
				require.NoError(t, os.WriteFile(filepath.Join(folder, w.Campaign+"."+w.Name+".json"), []byte(history), 0o644))
			})
		}
	})
	if chosen := flag.Lookup("test.run").Value.String(); !strings.Contains(chosen, "/") { // else not all ways were gone
		everyBranchIsWalked(t, seen)
	}
}

// alone is gone before all others, as it takes a coupon away from everybody.
const alone = "goodwill/no-code"

// everyBranchIsWalked demands that somebody came to every step that tells or asks
// somebody something or gives a code, to both sides of those that have an else, and to
// every outcome, of every example.
func everyBranchIsWalked(t *testing.T, seen map[string]map[string]bool) {
	folder := filepath.Join("..", "examples", "campaigns")
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		require.NoError(t, err)
		parsed, problems := campaign.Parse(file.Name(), text)
		require.Empty(t, problems)
		for _, c := range parsed.Campaigns {
			program, err := c.Compile(1)
			require.NoError(t, err)
			for _, exit := range program.Plan.Exits {
				if exit.Rule != campaign.RuleRedeemed { // the built-in one is the same in every campaign
					demand(t, seen, c.Name, outcomeOf(exit.Outcome))
				}
			}
			for _, step := range program.Plan.Steps {
				switch step.Do {
				case campaign.EndVerb:
					demand(t, seen, c.Name, outcomeOf(step.Outcome))
				case campaign.Send, campaign.Assign, campaign.Notify, campaign.Call: // the others leave no row of their own
					demand(t, seen, c.Name, step.ID)
					if step.Else != step.Next {
						demand(t, seen, c.Name, branchOf(step.ID, true))
						demand(t, seen, c.Name, branchOf(step.ID, false))
					}
				}
			}
		}
	}
}

func branchOf(step string, done bool) string {
	if done {
		return step + ", done"
	}
	return step + ", not done"
}

func outcomeOf(outcome string) string { return "outcome " + outcome }

func demand(t *testing.T, seen map[string]map[string]bool, name, what string) {
	t.Helper()
	require.True(t, seen[name][what], "nobody came to %s of %s", what, name)
}
