package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// ForgetPhoneKeys empties the keyed phones that no limit needs any more.
type ForgetPhoneKeys struct {
	river.WorkerDefaults[domain.ForgetPhoneKeysJob]
	Service *domain.Service
}

// Work forgets all that are due; what fails is left for the next run.
func (w *ForgetPhoneKeys) Work(ctx context.Context, _ *river.Job[domain.ForgetPhoneKeysJob]) error {
	_, err := w.Service.ForgetPhoneKeys(ctx)
	return err
}
