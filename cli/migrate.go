package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{Use: "migrate", Short: "Bring the database's schema up to date", Args: noArgs,
		Long: "Starter, worker and serve do so by themselves when they start; one process at a time.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.migrate(cmd.Context()) }}
}

func (a *app) migrate(ctx context.Context) error {
	return a.withStore(ctx, func(ctx context.Context, s *store.Store) error {
		if err := s.Migrate(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.out, "The database is up to date.")
		return err
	})
}
