package workflows_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/workflows"
)

// TestReplay_EveryRecordedHistory holds workflow code to what journeys that are
// under way have done already. Histories of every release stay here for as long as
// a journey of it may run.
func TestReplay_EveryRecordedHistory(t *testing.T) {
	histories, err := filepath.Glob(filepath.Join("testdata", "*", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, histories, "record them with make histories")
	for _, path := range histories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(workflows.Journey, workflow.RegisterOptions{Name: workflows.JourneyType})
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), path))
		})
	}
}

func TestReplay_EveryExampleCampaignHasAHistory(t *testing.T) {
	campaigns, err := os.ReadDir(filepath.Join("..", "examples", "campaigns"))
	require.NoError(t, err)
	for _, campaign := range campaigns {
		name := strings.TrimSuffix(campaign.Name(), ".yaml")
		histories, err := filepath.Glob(filepath.Join("testdata", "*", name+".*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, histories, "%s has no recorded history; record one with make histories", name)
	}
}
