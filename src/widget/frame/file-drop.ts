/**
 * Files that are dropped on a labeller: from the computer, by the browser's own events, and from JupyterLab's file browser, by Lumino's.
 * They are opened as labels, or the section Files says what else would do.
 */
import { MimeData } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { element } from '../base/dom';
import { trans } from '../base/translation';
import { LabelFiles } from '../state/label-files';

/** The type of a drag from JupyterLab's file browser; its data are paths. */
const CONTENTS_TYPE = 'application/x-jupyter-icontents';

/** The part of Lumino's drag events that is used. */
interface ILuminoDrag extends Event {
  readonly mimeData: MimeData;
  readonly proposedAction: string;
  readonly relatedTarget: Element | null;
  dropAction: string;
}

const EVENTS = [
  'dragenter',
  'dragover',
  'dragleave',
  'drop',
  'lm-dragenter',
  'lm-dragover',
  'lm-dragleave',
  'lm-drop'
] as const;

/** Lets files be dropped on an element. */
export class FileDrop implements IDisposable {
  constructor(
    private readonly _node: HTMLElement,
    private readonly _files: LabelFiles
  ) {
    EVENTS.forEach(type => _node.addEventListener(type, this));
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    EVENTS.forEach(type => this._node.removeEventListener(type, this));
    this._sign.remove();
  }

  handleEvent(event: Event): void {
    const lumino = event.type.startsWith('lm-');
    if (!(lumino ? hasPath(event as ILuminoDrag) : hasFile(event as DragEvent))) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    switch (event.type) {
      case 'dragover':
        (event as DragEvent).dataTransfer!.dropEffect = 'copy';
        this._show(true);
        return;
      case 'lm-dragover':
        (event as ILuminoDrag).dropAction = (event as ILuminoDrag).proposedAction;
        this._show(true);
        return;
      case 'dragleave':
      case 'lm-dragleave':
        if (!this._node.contains((event as DragEvent).relatedTarget as Node | null)) {
          this._show(false);
        }
        return;
      case 'drop': {
        this._show(false);
        const file = (event as DragEvent).dataTransfer?.files[0];
        if (file) {
          void this._files.openLocal(file);
        }
        return;
      }
      case 'lm-drop': {
        this._show(false);
        const drag = event as ILuminoDrag;
        drag.dropAction = drag.proposedAction;
        const [path] = drag.mimeData.getData(CONTENTS_TYPE) as string[];
        if (path) {
          void this._files.drop(path);
        }
      }
    }
  }

  private _show(shown: boolean): void {
    if (shown) {
      this._node.append(this._sign);
    } else {
      this._sign.remove();
    }
  }

  private readonly _sign = element(
    'div',
    { class: 'sambalab-file-drop', 'data-testid': 'sambalab-file-drop' },
    element('span', {}, trans.__('Drop a file of labels, or an image'))
  );
  private _disposed = false;
}

function hasFile({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes('Files') ?? false;
}

function hasPath({ mimeData }: ILuminoDrag): boolean {
  return mimeData?.hasData(CONTENTS_TYPE) ?? false;
}
