import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

const path = (relative: string) => new URL(relative, import.meta.url).pathname;

/** Bundles the workflow code with its converters; takes a second or two, so it is done once a process. */
export function bundleWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: path('../workflows/index.ts'),
    failureConverterPath: path('../temporal/failure-converter.ts'),
    logger: new DefaultLogger('WARN'),
  });
}
