package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
)

// MaintenanceType is the workflow type of the regular upkeep, and the id of its
// schedule.
const MaintenanceType = "Maintenance"

// MaintenanceEvery is how often it runs.
const MaintenanceEvery = time.Minute

// Maintenance does one round of what time brings about by itself: codes and
// coupons expire, journeys that Temporal lost are closed, old payloads go.
func Maintenance(ctx workflow.Context) (activities.Upkeep, error) {
	return act(ctx, "upkeep", hands.Maintain, activities.UpkeepInput{}).Get(ctx)
}
