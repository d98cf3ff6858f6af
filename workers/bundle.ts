import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Bundles the workflow code with its converters; takes a second or two, so it is done once a process. */
export function bundleWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: path('../workflows/index.ts'),
    failureConverterPath: path('../temporal/failure-converter.ts'),
    workflowInterceptorModules: [path('../workflows/encoded-input.ts')],
    logger: new DefaultLogger('WARN'),
  });
}

/**
 * The same in a process of its own, which ends with it: the bundler's memory, several hundred megabytes, would otherwise
 * stay with the worker for as long as that lives.
 *
 * @throws Error when the workflow code cannot be bundled; the process has said why on standard error
 */
export function bundleWorkflowsApart(): Promise<WorkflowBundleWithSourceMap> {
  return new Promise((resolve, reject) => {
    const bundler = fork(fileURLToPath(import.meta.url), {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    bundler.once('message', (bundle) => resolve(bundle as WorkflowBundleWithSourceMap));
    bundler.once('error', reject);
    bundler.once('exit', (code) => reject(new Error(`the workflow code could not be bundled (exit code ${code})`)));
  });
}

if (import.meta.main) {
  const bundle = await bundleWorkflows();
  process.send?.(bundle, () => process.disconnect());
}
