/** How a request to a store over the network ended. */
export type StoreOutcome = 'ok' | 'missing' | 'refused' | 'failed' | 'given-up';

/** Told of each request that this thread sends to a store. */
export type StoreObserver = (operation: string, outcome: StoreOutcome, seconds: number) => void;

const observers = new Set<StoreObserver>();

/** @returns what ends the observation */
export function observeStore(observer: StoreObserver): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

export const noteStoreRequest: StoreObserver = (operation, outcome, seconds) => {
  for (const tell of observers) tell(operation, outcome, seconds);
};
