import { Anchor } from '@mantine/core';
import { ExternalLinkIcon } from '@radix-ui/react-icons';
import { useConsole } from './console.tsx';

/** A workflow in the Temporal UI; nothing where the installation has none. */
export function WorkflowLink({ workflowId }: { workflowId: string | null }) {
  const url = useConsole()?.temporal.workflowUrl;
  if (workflowId === null || url === null || url === undefined) return null;
  return (
    <Anchor
      href={url.replace('{workflowId}', encodeURIComponent(workflowId))}
      target="_blank"
      rel="noopener noreferrer"
      fz="sm"
    >
      Workflow <ExternalLinkIcon aria-hidden className="inline-icon" />
    </Anchor>
  );
}
