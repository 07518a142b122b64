package store

import (
	"context"
	"fmt"
	"time"
)

// Assign gives a code outside any campaign: to a support desk, a pop-up, an
// automation tool. It is a Claim that never waits, and the code counts as shown
// from then on. The same Key gives the same code again.
func (s *Store) Assign(ctx context.Context, claim Claim) (ClaimResult, error) {
	claim.JourneyID, claim.Waitable = "", false
	result, err := s.Claim(ctx, claim)
	if err != nil || result.Status != ClaimAssigned || !result.Assignment.ExposedAt.IsZero() {
		return result, err
	}
	if err := s.Expose(ctx, s.Pool, result.Assignment.ID); err != nil {
		return ClaimResult{}, fmt.Errorf("assigning a code: %w", err)
	}
	result.Assignment.State, result.Assignment.ExposedAt = AssignmentExposed, time.Now().UTC()
	return result, nil
}
