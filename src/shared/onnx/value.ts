import { DIM, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './fields';
import { Message } from './wire';

/**
 * The description of a tensor as an input, an output or a value of a graph (ValueInfoProto).
 *
 * @param type ONNX's number of its elements' type (TensorProto.DataType)
 * @param shape a size is a number or a name; undefined: the runtime infers all
 */
export function describeTensor(name: string, type: number, shape?: readonly (number | string)[]): Message {
  const tensor = new Message().integer(TENSOR_TYPE.elements, type);
  if (shape) {
    const dims = new Message();
    for (const size of shape) {
      const dim = new Message();
      dims.message(SHAPE.dim, typeof size === 'number' ? dim.integer(DIM.value, size) : dim.text(DIM.parameter, size));
    }
    tensor.message(TENSOR_TYPE.shape, dims);
  }
  return new Message().text(VALUE_INFO.name, name).message(VALUE_INFO.type, new Message().message(TYPE.tensor, tensor));
}
